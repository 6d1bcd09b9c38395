#!/bin/sh
# What the unit and the plain hook start: the agent, with what it may say outside the consoles (the
# agent opens those itself) kept for stopped.sh. Must not do anything before or after it.

mkdir -p /run/zshield
exec /usr/bin/zshield recover < /dev/null > /run/zshield/agent.log 2>&1
