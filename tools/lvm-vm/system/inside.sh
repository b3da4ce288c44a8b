#!/bin/sh
# inside.sh ROOT COMMAND... - runs a command of a system that is being made; for mount and pid namespaces of their own.
set -eu
root=$1
shift
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev/shm"
exec chroot "$root" "$@"
