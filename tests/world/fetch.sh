#!/bin/sh
# Servers that Debian packages for inetd, for test_world.py.  Installed, they would bring another
# super-server, or start a daemon, so they are unpacked into a folder: PACKAGE/ as it would be
# installed, PACKAGE/DEBIAN/ with the scripts that hold its line of inetd.conf.  Nothing is started.
#
#   fetch.sh FOLDER PACKAGE …
set -eu
folder=$1
shift
mkdir -p "$folder"
cd "$folder"
missing=
for p in "$@"; do
	[ -d "$p" ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
[ "$(id -u)" != 0 ] || apt-get update -q
for p in $missing; do
	apt-get download -q "$p"
	dpkg -x "$p"_*.deb "$p.new"
	dpkg -e "$p"_*.deb "$p.new/DEBIAN"
	mv "$p.new" "$p"
	rm -f "$p"_*.deb
done
