#!/bin/sh
# The end of a boot that cannot go on: says on every console what happened and that the power can be
# switched off, and nothing else. No shell, no reboot, no going on.
#   stopped.sh agent exited|killed|dumped STATUS    the recovery agent ended by itself
#   stopped.sh boot [REASON]                        the golden system could not be started
# systemd gives the agent's end in EXIT_CODE and EXIT_STATUS instead.

what=$1
how=${2:-${EXIT_CODE:-}}
status=${3:-${EXIT_STATUS:-}}
# What the agent said outside the consoles (recover.sh).
log=/run/zshield/agent.log
# The agent may leave here: the ZSHIELD-RESULT line that it printed; a file that is there as long as
# nothing was written to a disk.
result=/run/zshield/result
unchanged=/run/zshield/unchanged

# Exit codes with which zshield itself has told the person what is wrong (README, exit codes).
has_told() {
    case $how-$status in
        exited-2 | exited-3 | exited-4 | exited-70) return 0 ;;
        *) return 1 ;;
    esac
}

operation() {
    read -r line < /proc/cmdline
    case " $line " in
        *' zshield_recovery=default '*) echo default ;;
        *' zshield_recovery=latest '*) echo latest ;;
        *' zshield_recovery=repair '*) echo repair ;;
        *' zshield_recovery=test '*) echo test ;;
        *' zshield_recovery=menu '*) echo menu ;;
        *) echo none ;;
    esac
}

# Zshield's own sentence if it left one, else how it ended. Fit for JSON: no quotes, no backslashes.
message() {
    [ -r "$log" ] && read -r said < "$log"
    case ${said:-} in
        'zshield: '*) printf '%s' "${said#zshield: }" | tr -cd ' !#-[]-~' ;;
        *) printf '%s' "$end" ;;
    esac
}

# Without a word that says otherwise, a disk may have been written to.
is_unchanged() {
    case $how-$status in
        exited-2 | exited-3) return 0 ;;
    esac
    case $message in
        *'Nothing was started or changed'*) return 0 ;;
    esac
    [ -e "$unchanged" ]
}

result_line() {
    printf 'ZSHIELD-RESULT {"schema":1,"operation":"%s","outcome":"failed",' "$(operation)"
    printf '"changed":%s,"version":"","steps":[],"peakMemoryBytes":0,' "$changed"
    printf '"error":{"message":"%s","hint":"%s"}}\n' "$message" "$hint"
}

tell_agent() {
    case $how in
        exited) end="the recovery agent ended by itself with exit code $status" ;;
        killed | dumped) end="the recovery agent was killed by signal $status" ;;
        *) end="the recovery agent could not be started" ;;
    esac
    message=$(message)
    if is_unchanged; then
        changed=false hint="no disk was written to"
    else
        changed=true hint="a recovery that had begun goes on when this machine starts again"
    fi
    echo "zshield: $end."
    if ! has_told && [ -s "$log" ]; then
        echo "zshield: its last words:"
        tail -n 12 "$log"
    fi
    echo "zshield: nothing is running any more; $hint."
    echo "zshield: the power can be switched off."
    if [ -s "$result" ]; then
        cat "$result"
    elif ! has_told || [ "$status" = 70 ]; then
        result_line
    fi
}

tell_boot() {
    read -r line < /proc/cmdline
    case " $line " in
        *' root=zshield '*) how="root=zshield, but none of zshield_recovery=default, latest, repair, test, menu" ;;
    esac
    echo "zshield: the golden system could not be started${how:+: ${how%.}}."
    if command -v systemctl > /dev/null; then
        systemctl list-units --failed --plain --no-legend --no-pager
    fi
    echo "zshield: the power can be switched off."
}

# The agent may have died while it drew: the terminal as it was, colours off, cursor on.
show() {
    stty sane
    printf '\033[?1047l\033[0m\033[?25h\n%s\n' "$text"
}

text=$("tell_$what" 2> /dev/null)
read -r consoles < /sys/class/tty/console/active
for console in $consoles; do
    # One that blocks must not silence the others.
    show < "/dev/$console" > "/dev/$console" 2> /dev/null &
done
wait
