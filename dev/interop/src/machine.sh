#!/bin/sh
# Boots this machine's own Debian again, by systemd, beside itself: `machine.sh FOLDER`, as root.
#
# It sees the host's files, and what it writes is in memory and gone with it. Its processes, users' limits, host name and
# network are its own; the network is a loopback alone. Only what a service needs is started. It ends with its first process.
set -eu
folder=$1

if [ "${2:-}" != inside ]; then
    # A group of its own, so that systemd has a root to work below.
    mount --make-rprivate /
    mkdir -p "$folder/cgroup" && mount -t cgroup2 cgroup2 "$folder/cgroup"
    mkdir -p "$folder/cgroup/${folder##*/}" && echo $$ >"$folder/cgroup/${folder##*/}/cgroup.procs"
    exec unshare --cgroup --ipc --uts --net --pid --fork --kill-child --mount "$0" "$folder" inside
fi

mkdir -p "$folder/memory" "$folder/root" && mount -t tmpfs tmpfs "$folder/memory"
mkdir "$folder/memory/upper" "$folder/memory/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/memory/upper,workdir=$folder/memory/work" "$folder/root"
cd "$folder/root"

mount -t proc proc proc
mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup
for memory in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs $memory; done
chmod 1777 tmp
for device in null zero full random urandom tty; do
    : >dev/$device && mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm && mount -t tmpfs tmpfs dev/shm && mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx

# What a host does at its boot is the host's; packages may start services, whatever the host says of that.
for boot in usr/lib/systemd/system/sysinit.target.wants usr/lib/systemd/system/sockets.target.wants \
    usr/lib/systemd/system/timers.target.wants usr/lib/systemd/system/local-fs.target.wants; do
    mount -t tmpfs tmpfs $boot
done
rm -rf usr/sbin/policy-rc.d etc/systemd/system etc/fstab && mkdir -p etc/systemd/system
echo tartan-machine >etc/hostname
printf '[Unit]\nRequires=sysinit.target\nWants=systemd-journald.service dbus.socket\n' >etc/systemd/system/machine.target

exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    chroot . /lib/systemd/systemd --unit=machine.target --log-level=warning
