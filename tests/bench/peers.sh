#!/bin/sh
# The peers that Debian has, for bench.py.  The inetds conflict with each other, so they are
# unpacked into a folder and not installed; busybox is built with the two programs that Debian
# leaves out.  Nothing is started.
#
#   peers.sh FOLDER
set -eu
mkdir -p "$1"
cd "$1"
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
	ucspi-tcp ipsvd s6 systemd ncat socat libwrap0 dpkg-dev bzip2
for p in xinetd openbsd-inetd inetutils-inetd rlinetd; do
	[ -d $p ] && continue
	apt-get download -q $p
	dpkg -x $p\_*.deb $p.new
	mv $p.new $p
	rm -f $p\_*.deb
done

if [ ! -x busybox/tcpsvd ]; then
	# The source lists of this machine, with deb-src switched on, and only for this call.
	mkdir -p lists
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -e "$f" ] && sed 's/^Types: .*/Types: deb-src/' "$f" > "lists/${f##*/}"
	done
	[ ! -e /etc/apt/sources.list ] || sed 's/^deb /deb-src /' /etc/apt/sources.list > lists/main.list
	set -- -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$PWD/lists"
	apt-get "$@" update -q
	apt-get "$@" source -q --download-only busybox
	apt-get update -q
	rm -rf busybox.new
	mkdir busybox.new
	tar -xf busybox_*.orig.tar.* --strip-components=1 -C busybox.new
	cd busybox.new
	make allnoconfig > /dev/null
	sed -i -e 's/# CONFIG_TCPSVD is not set/CONFIG_TCPSVD=y/' -e 's/# CONFIG_INETD is not set/CONFIG_INETD=y/' .config
	yes '' | make oldconfig > /dev/null
	make -j2 busybox > /dev/null 2>&1
	ln -s busybox tcpsvd
	ln -s busybox inetd
	cd ..
	mv busybox.new busybox
fi
ls
