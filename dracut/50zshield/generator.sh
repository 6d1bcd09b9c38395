#!/bin/sh
# systemd generator of the rescue system: with zshield_recovery= on the kernel command line the
# recovery target is started instead of the ordinary way to a root file system, whatever root= says.
# A boot without it pays one test. Every other zshield parameter is the agent's to judge.

read -r line < /proc/cmdline
case " $line" in
    *' zshield_recovery='[!\ ]*) ;;
    *) exit 0 ;;
esac

early=$2
target=/usr/lib/systemd/system/zshield-recovery.target

# systemd begins an initrd with initrd.target (before version 246: default.target).
ln -s "$target" "$early/initrd.target"
ln -s "$target" "$early/default.target"

# A second name brings the dependencies of that name along. Each is switched off: dracut's hooks, and
# the wait for the device that root= names (made by a generator that runs beside this one).
mkdir -p "$early/initrd.target.wants"
for unit in /usr/lib/systemd/system/initrd.target.wants/* /etc/systemd/system/initrd.target.wants/*; do
    [ -e "$unit" ] && ln -sf /dev/null "$early/initrd.target.wants/${unit##*/}"
done

# shellcheck source=/dev/null
. /lib/dracut-lib.sh
root=$(getarg root=)
device=$(label_uuid_to_dev "${root#block:}")
case $device in
    /dev/*) ln -sf /dev/null "$early/initrd.target.wants/$(dev_unit_name "$device").device" ;;
esac
exit 0
