# The log-in shell of the serial line tells the lab that this system is up, before its first prompt. A unit that
# did it would write while getty and login still hang up the line, which throws away what is under way.
if [ "$(tty)" = /dev/ttyS0 ]; then /usr/lib/zshield/lab-booted; fi
