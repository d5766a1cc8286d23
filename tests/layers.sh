#!/bin/sh
# The folder is the layer: base < model < os < config < run.  A file includes its own layer and
# those below it; handlers include handlers/common and a folder of their own name; libevent stays in one layer, jansson where JSON is read and written.
set -eu
cd "$(dirname "$0")/.."
bad=0
complain() { echo "layers: $1"; bad=1; }

# ours FILES…: file:line:"path" of every include of our own, system headers aside.
ours() { grep -nH '^#include "' "$@" /dev/null | sed 's/#include "\([^"]*\)".*/\1/'; }

allowed=''
for layer in base model os config run; do
	allowed="$allowed daemon/$layer/"
	for f in daemon/$layer/*.[ch]; do
		[ -e "$f" ] || continue
		ours "$f" | while IFS=: read -r file line path; do
			ok=no
			for prefix in $allowed; do
				case $path in "$prefix"*) ok=yes ;; esac
			done
			[ $ok = yes ] || echo "$file:$line includes $path"
		done
	done
done > "${TMPDIR:-/tmp}/layers.$$"
for f in handlers/*.[ch] handlers/*/*.[ch]; do
	[ -e "$f" ] || continue
	own=${f#handlers/}; own=${own%%[./]*}
	ours "$f" | while IFS=: read -r file line path; do
		case $path in handlers/common/*|handlers/"$own"/*) ;; *) echo "$file:$line includes $path" ;; esac
	done
done >> "${TMPDIR:-/tmp}/layers.$$"
ours daemon/superctl.c daemon/ctl/*.[ch] | grep -Ev ':daemon/(base|ctl)/' |
	sed 's/:daemon/ includes daemon/' >> "${TMPDIR:-/tmp}/layers.$$" || :
while read -r what; do complain "$what"; done < "${TMPDIR:-/tmp}/layers.$$"
rm -f "${TMPDIR:-/tmp}/layers.$$"

# only LIBRARY-HEADER FILES…: who may include it (patterns).
only() {
	header=$1; shift
	for f in $(grep -lE "#include <$header" daemon/*.[ch] daemon/*/*.[ch] 2>/dev/null); do
		ok=no
		for pattern in "$@"; do
			# shellcheck disable=SC2254 # it is a pattern
			case $f in $pattern) ok=yes ;; esac
		done
		[ $ok = yes ] || complain "$f includes $header, which belongs to $*"
	done
}
only jansson.h 'daemon/config/*' 'daemon/run/control*' 'daemon/run/handover*' 'daemon/ctl/*'
only event2/ 'daemon/run/*'
[ $bad = 0 ] && echo "layers: ok"
exit $bad
