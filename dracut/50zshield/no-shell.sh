# Read by dracut's scripts before their hooks, with systemd and without: a boot that cannot go on
# ends in words, not in a shell, and a break point (rd.break=) is passed by. What systemd would open a
# shell for (systemd.debug_shell, rd.systemd.unit=emergency.target or rescue.target) is shut in
# module-setup.sh. rdinit= and an init= of the system that is started are the kernel's and that system's
# own: only GRUB's password (zshield.toml) keeps people from writing them.

emergency_shell() {
    case $1 in
        -n) return 0 ;;
    esac
    /usr/lib/zshield/stopped.sh boot "$*"
    while :; do sleep 3600; done
}

die() {
    emergency_shell "$@"
}
