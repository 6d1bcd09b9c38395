#!/bin/sh
# Without systemd, first: with zshield_recovery= on the kernel command line no root is needed and
# none is waited for, whatever root= says. Sourced by dracut's init: no exit here.

read -r zshield_line < /proc/cmdline
case " $zshield_line" in
    *' zshield_recovery='[!\ ]*)
        # shellcheck disable=SC2034 # for recover-hook.sh and for dracut, in the same shell
        zshield_wanted=yes root=zshield rootok=1
        ;;
esac
