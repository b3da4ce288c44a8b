#!/bin/sh
# First process of the root file system: what a small host needs for LVM, then the tests, then power off.
# Words for people go to the console (ttyS0); the tests speak on ttyS1, which nothing else writes to.
export PATH=/usr/sbin:/usr/bin LC_ALL=C HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -p /run/udev /run/lvm /run/lock /payload
stty -F /dev/ttyS1 raw -echo
echo '@up' >/dev/ttyS1
/usr/lib/systemd/systemd-udevd --daemon
modprobe -a dm-mod dm-thin-pool dm-snapshot xfs
udevadm trigger
udevadm settle
mount -o ro LABEL=payload /payload
BRICKYARD_LVM_TEST_DEVICE=$(sed 's/.*brickyard\.disks=\([^ ,]*\).*/\1/' /proc/cmdline)
export BRICKYARD_LVM_TEST_DEVICE
# shellcheck disable=SC2046 # The file holds words.
/payload/node/run $(cat /payload/words) >/dev/ttyS1 2>&1 </dev/null
echo "@end $?" >/dev/ttyS1
sync
echo o >/proc/sysrq-trigger
while :; do sleep 10; done
