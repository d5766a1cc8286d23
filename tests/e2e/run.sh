#!/bin/sh
# Runs pytest on what was built: run.sh PYTEST FLAVOR JOBS ARGUMENT…
#
# JOBS tests at once, each worker in a network of its own; 0: one after the other.
# Root's tests become other users.  Where those cannot reach this folder, as in a clone below /root,
# a copy that they can is tested.
set -eu
pytest=$1 flavor=$2 jobs=$3
shift 3

command -v "$pytest" >/dev/null || { echo "there is no $pytest: run 'make deps'" >&2; exit 1; }

if [ "$jobs" != 0 ] && ! unshare -n ip link set lo up 2>/dev/null; then
	echo "one test after the other: there can be no networks for several (needs root, unshare and ip)"
	jobs=0
fi
if [ "$jobs" != 0 ]; then
	"$pytest" -VV 2>&1 | grep -q xdist || {
		echo "there is no pytest-xdist: run 'make deps', or one test after the other with JOBS=0" >&2
		exit 1
	}
	set -- --numprocesses="$jobs" --dist=loadgroup "$@"
fi

reached_by_others() {
	setpriv --reuid=65534 --regid=65534 --clear-groups \
		test -x "$PWD/build/$flavor/superd" -a -r "$PWD/tests/e2e/conftest.py"
}

if [ "$(id -u)" = 0 ] && ! reached_by_others; then
	copy=$(mktemp -d "${TMPDIR:-/tmp}/superd-tree-XXXXXX")
	trap 'rm -rf "$copy"' EXIT
	trap 'exit 1' HUP INT TERM
	echo "other users cannot reach $PWD: its copy in $copy is tested"
	mkdir "$copy/build"
	cp -a Makefile README.md contrib daemon etc handlers tests "$copy"
	cp -a "build/$flavor" "$copy/build"
	[ ! -d build/world ] || cp -a build/world "$copy/build"
	chmod -R go+rX "$copy"
	cd "$copy"
fi

set -x
FLAVOR=$flavor "$pytest" -q -p no:cacheprovider "$@"
