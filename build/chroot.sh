#!/bin/sh
# Runs a command inside a root, with /proc and /dev there and nothing of it left behind on this
# machine: `unshare --mount sh build/chroot.sh ROOT COMMAND…` (the mounts end with the command).
set -e
root=$1
shift
mount --make-rprivate /
mount --types proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount --types tmpfs tmpfs "$root/tmp"
mount --types tmpfs tmpfs "$root/run"
exec chroot "$root" /usr/bin/env -i HOME=/ LC_ALL=C.UTF-8 TERM=dumb \
  PATH=/usr/sbin:/usr/bin:/sbin:/bin SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$@"
