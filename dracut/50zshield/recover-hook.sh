#!/bin/sh
# Without systemd, second: the agent as a child of its own session. If it ends, what it left running
# is ended, the person is told, and nothing goes on. Sourced by dracut's init: no exit here.

if [ "${zshield_wanted:-}" = yes ]; then
    setsid /usr/lib/zshield/recover.sh &
    zshield_agent=$!
    wait "$zshield_agent" 2> /dev/null
    zshield_status=$?
    kill -KILL -"$zshield_agent" 2> /dev/null
    if [ "$zshield_status" -gt 128 ]; then
        /usr/lib/zshield/stopped.sh agent killed "$(kill -l "$((zshield_status - 128))")"
    else
        /usr/lib/zshield/stopped.sh agent exited "$zshield_status"
    fi
    while :; do sleep 3600; done
fi
