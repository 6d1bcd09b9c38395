#!/bin/sh
# Makes this machine ready: `sh build/setup.sh npm|unit|card|lab|bench` (without a word: lab).
# npm: node_modules as package-lock.json says. unit: what packing calls, and what the unit tests compare it with.
# card: what building a card or the catalogue calls. lab: QEMU as well.
# bench: the lab, and what makes the loads of `npm run bench`.
# Installs what is missing where it may (root), else says the one command that does, and exits 3.
# Must stay quiet and quick when nothing is missing, and never ask for a package that would push
# another one off a laptop (dracut-core and grub-*-bin, not dracut and grub-pc).
set -eu

what=${1:-lab}
cd "$(dirname "$0")/.."

say() {
  printf 'setup: %s\n' "$*" >&2
}

case $what in
  npm | unit | card | lab | bench) ;;
  *)
    say "unknown word “$what”: npm, unit, card, lab or bench"
    exit 2
    ;;
esac

# --- node_modules ------------------------------------------------------------------------------

# npm writes its own lock into node_modules when it has finished.
installed=node_modules/.package-lock.json
bun=node_modules/.bin/bun

if [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ]; then
  say "installing the npm packages of package-lock.json"
  # Some versions of npm run install scripts, some refuse to; ours are run below, by name.
  if ! npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2; then
    say "npm ci failed: is the npm registry reachable?"
    exit 1
  fi
  touch "$installed"
fi

# The npm package “bun” holds a placeholder until its script puts the real program in its place.
if ! "$bun" --version > /dev/null 2>&1; then
  if ! (cd node_modules/bun && node install.js) > /dev/null || ! "$bun" --version > /dev/null; then
    say "Bun does not run on this machine (x86-64 Linux with SSE4.2 is needed)"
    exit 1
  fi
fi

[ "$what" = npm ] && exit 0

# --- Debian packages ---------------------------------------------------------------------------

if ! command -v dpkg-query > /dev/null; then
  say "a machine with Debian or Ubuntu is needed (apt, dpkg)"
  exit 3
fi

# package and what it is for
unit_packages='attr read extended attributes
erofs-utils read the images of packages, and put the files of golden into a fixed order
cryptsetup-bin compute block hashes (veritysetup)
zstd read compressed images
minisign make and confirm signatures beside ours'
card_packages='mmdebstrap make root file systems of Debian packages
debian-archive-keyring check what the Debian mirror says
e2fsprogs make the golden ext4 image
mtools fill the FAT partition of the card
dosfstools make the FAT partition of the card
fdisk write the partition table of the card (sfdisk)
cpio pack the rescue initramfs
rsync copy trees
kmod index the kernel modules
util-linux mount namespaces, loop devices, the end of programs with their parent (setpriv)
ca-certificates reach mirrors by https'
lab_packages='qemu-system-x86 run the virtual machines
qemu-utils make and compare virtual disks (qemu-img)
seabios start virtual machines as BIOS does
ovmf start virtual machines as UEFI does
lvm2 inspect installed disks
mdadm make the foreign disks of the tests
tmux drive the screens
skopeo copy bundles to a registry and back
strace keep links from a program, as FAT has none
zbar-tools read the QR code of the screens'
# Any browser of this family will do. Where there is none and no package of it (Ubuntu has a snap), its test fails and
# says so; nothing else needs it.
for browser in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$browser" > /dev/null && break
  browser=''
done
if [ -z "$browser" ] && apt-cache show chromium > /dev/null 2>&1; then
  lab_packages="$lab_packages
chromium open the page of collected reports"
fi
bench_packages='fio write in a guest and take the time
squashfs-tools pack trees as squashfs
time measure other programs
ostree make differences to compare with
bsdiff make differences to compare with
xdelta3 make differences to compare with
rauc make bundles to compare with
casync make chunks to compare with
zchunk make chunks to compare with
openssl make a key for rauc'

wanted=$unit_packages
case $what in
  card | lab | bench)
    wanted="$wanted
$card_packages"
    ;;
esac
case $what in
  lab | bench)
    wanted="$wanted
$lab_packages"
    ;;
esac
if [ "$what" = bench ]; then
  wanted="$wanted
$bench_packages"
fi

missing=''
# shellcheck disable=SC2086 # one word a package
present=$(dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' \
  $(printf '%s\n' "$wanted" | cut -d ' ' -f 1) 2> /dev/null || true)
while read -r package purpose; do
  case "
$present
" in
    *"
$package installed
"*) ;;
    *)
      say "missing: $package ($purpose)"
      missing="$missing $package"
      ;;
  esac
done << END
$wanted
END

if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    say "install them with:"
    printf '  sudo apt-get install --no-install-recommends%s\n' "$missing" >&2
    exit 3
  fi
  say "installing$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get --quiet=2 update >&2
  # shellcheck disable=SC2086 # one word a package
  if ! apt-get --quiet=2 --yes --no-install-recommends --no-remove install $missing >&2; then
    say "apt-get could not install$missing"
    exit 1
  fi
fi

[ "$what" = unit ] && exit 0

if [ "$(id -u)" != 0 ]; then
  say "this is built in a chroot and with mounts, which only root may do; use:"
  printf '  sudo npm run %s\n' "${npm_lifecycle_event:-$what}" >&2
  exit 3
fi
