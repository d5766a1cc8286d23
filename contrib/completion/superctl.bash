# bash completion for superctl(8)

_superctl_services() {
	superctl "$@" --json list 2>/dev/null |
		sed -n 's/^ *"name": "\(.*\)",*$/\1/p'
}

_superctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} command='' i socket=()
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s | --socket)
			socket=(-s "${COMP_WORDS[i + 1]}")
			((i++))
			;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	if [[ ${COMP_WORDS[COMP_CWORD - 1]} == @(-s|--socket) && -z $command ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	if [[ -z $command ]]; then
		mapfile -t COMPREPLY < <(compgen -W "-s --socket -j --json -h --help -V --version
			list show ps top log explain bans ban unban kill pause resume disable enable drain
			set reload upgrade stop version" -- "$cur")
		return
	fi
	case $command in
	show | ps | log | kill | pause | resume | disable | enable | drain)
		mapfile -t COMPREPLY < <(compgen -W "$(_superctl_services "${socket[@]}")" -- "$cur")
		;;
	set)
		if ((COMP_CWORD == i + 1)); then
			mapfile -t COMPREPLY < <(compgen -W "$(_superctl_services "${socket[@]}")" -- "$cur")
		else
			compopt -o nospace
			mapfile -t COMPREPLY < <(compgen -S = -W "max_connections queue max_per_source rate
				rate_per_source timeout kill_grace" -- "$cur")
		fi
		;;
	explain)
		((COMP_CWORD == i + 2)) &&
			mapfile -t COMPREPLY < <(compgen -W "$(_superctl_services "${socket[@]}")" -- "$cur")
		;;
	esac
}

complete -F _superctl superctl
