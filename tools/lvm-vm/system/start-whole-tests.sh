#!/bin/sh
# What systemd starts in the second guest: the tests, then power off. The tests speak on ttyS1, which nothing else writes to.
stty -F /dev/ttyS1 raw -echo
echo '@up' >/dev/ttyS1
mkdir -p /payload
mount -o ro LABEL=payload /payload
[ -e /usr/bin/node ] || install -m 755 /payload/node /usr/bin/node
BRICKYARD_TEST_DISKS=$(sed 's/.*brickyard\.disks=\([^ ]*\).*/\1/' /proc/cmdline)
export BRICKYARD_TEST_DISKS
# shellcheck disable=SC2046 # The file holds words.
/usr/bin/node $(cat /payload/words) >/dev/ttyS1 2>&1 </dev/null
echo "@end $?" >/dev/ttyS1
sync
echo o >/proc/sysrq-trigger
while :; do sleep 10; done
