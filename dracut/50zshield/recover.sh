#!/bin/sh
# What the unit and the plain hook start: the agent, with what it may say outside the consoles (the
# agent opens those itself) kept for stopped.sh. Must not do anything after it, and before it only
# what must hold as long as it lives.

# Of the magic SysRq keys those that flush (16), set read-only (32) and restart (128), and none that
# kills programs or changes a terminal. The agent's own way to restart does not ask this.
{ echo 176 > /proc/sys/kernel/sysrq; } 2> /dev/null

mkdir -p /run/zshield
exec /usr/bin/zshield recover < /dev/null > /run/zshield/agent.log 2>&1
