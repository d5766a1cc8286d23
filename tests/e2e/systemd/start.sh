#!/bin/sh
# A systemd of its own, as process 1 of namespaces: called by systemdlib.py under
# `unshare -m -p -u -f`, as  start.sh FOLDER NAME.  It gets a cgroup that has that name, and sees that
# one as the root of all, so nothing of it collides with this machine's.  SYSTEMD is its program.
set -e
folder=$1 name=$2
if [ "$3" != inside ]; then
	mount --make-rprivate /
	mount -t cgroup2 cgroup "$folder/cgroup"
	mkdir "$folder/cgroup/$name"
	echo 0 > "$folder/cgroup/$name/cgroup.procs"
	umount "$folder/cgroup"
	exec unshare -C sh "$0" "$folder" "$name" inside
fi
umount -R /sys/fs/cgroup 2> /dev/null || :
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t proc proc /proc
# It would set limits of the kernel, and a file that says which machine this is.
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
if [ -e /etc/machine-id ]; then
	mount --bind /etc /etc
	mount -o remount,bind,ro /etc
fi
mount -t tmpfs tmpfs /run
[ ! -e /dev/console ] || mount --bind "$folder/systemd.log" /dev/console
export container=test SYSTEMD_UNIT_PATH="$folder/units"
exec "$SYSTEMD" --system --unit=test.target --log-target=console --log-level=info \
	--show-status=no
