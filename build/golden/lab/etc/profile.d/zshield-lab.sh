# The log-in shell of the serial line tells the lab that this system is up, before its first prompt. A unit that
# did it would write beside getty and login, into the middle of their lines.
if [ "$(tty)" = /dev/ttyS0 ]; then /usr/lib/zshield/lab-booted; fi
