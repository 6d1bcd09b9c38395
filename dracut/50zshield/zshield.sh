#!/bin/sh
# The way to start zshield, in the rescue system and in an installed one: makes sure that this
# processor can run the executable, and gives it an environment that nobody has tampered with
# (BUN_BE_BUN and the like would turn it into a plain Bun).
# Must not write anything but the executable's mode, and that only in an initramfs.

program=/usr/lib/zshield/zshield

# True if /proc/cpuinfo lists no SSE4.2. Not knowing is no reason to refuse.
lacks_sse42() {
    [ -r /proc/cpuinfo ] || return 1
    while read -r key rest; do
        [ "$key" = flags ] || continue
        case " $rest " in
            *' sse4_2 '*) return 1 ;;
            *) return 0 ;;
        esac
    done < /proc/cpuinfo
    return 1
}

# $1: what ends a line
explain() {
    printf '%s ' "zshield: this computer's processor is too old for zshield: it has no SSE4.2"
    printf '%s%b' "(Intel's have it since 2008, AMD's since 2011). Nothing was started or changed." "$1"
}

# Whoever has standard error on a terminal has seen it; otherwise the consoles are told as well.
refuse() {
    explain '\n' >&2
    [ -t 2 ] && exit 70
    [ -r /sys/class/tty/console/active ] && read -r consoles < /sys/class/tty/console/active
    for console in ${consoles:-}; do
        [ -w "/dev/$console" ] && explain '\r\n' > "/dev/$console"
    done
    exit 70
}

lacks_sse42 && refuse

if [ -e /etc/initrd-release ] && [ ! -x "$program" ]; then
    chmod 0755 "$program"
fi

exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-linux}" LC_ALL=C HOME=/ "$program" "$@"
