#!/bin/busybox sh
# First process of the initial file system: loads the disk drivers and hands over to the root file system, to the program
# that the kernel's command line names with brickyard.init=.
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
while read -r module; do /bin/busybox insmod "/modules/$module"; done </modules/order
while [ ! -b /dev/vda ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 /dev/vda /newroot
/bin/busybox mount --move /dev /newroot/dev
read -r words </proc/cmdline
for word in $words; do case $word in brickyard.init=*) init=${word#*=} ;; esac; done
/bin/busybox umount /proc /sys
exec /bin/busybox switch_root /newroot "$init"
