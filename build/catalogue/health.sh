# What the device's own start does for packages, then the health command: `sh -c TEXT health START-WORDS -- HEALTH-WORDS`
# inside a root of base and package. Ends with the exit code of the command.
set -eu
systemd-sysusers 2> /dev/null
ldconfig
systemd-tmpfiles --create --remove > /dev/null 2>&1 || true
# Directories below /run that systemd makes when it starts a unit.
sed -n 's/^RuntimeDirectory=//p' /usr/lib/systemd/system/*.service | tr ' ' '\n' | while read -r directory; do
  case $directory in
    '' | *%*) ;;
    *) mkdir -p "/run/$directory" ;;
  esac
done
start=''
while [ "$1" != -- ]; do
  start="$start '$1'"
  shift
done
shift
# Units are systemd's to start, which does not run here.
case $start in
  '' | *systemctl*) ;;
  *) eval "$start" > /dev/null ;;
esac
exec timeout 60 "$@"
