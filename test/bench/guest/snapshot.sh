#!/bin/sh
# Inside the guest: the volumes of test/bench/snapshot.ts, one verb a call, on a disk of their own.
#   prepare DISK   a volume group with two equal file systems: `origin` (linear), `plain` (thin)
#   take KIND      none, thin, or the chunk size of a classic snapshot in KiB; mounts what is written to
#   load JOB…      loads of snapshot.fio, as fio's JSON
#   fill           how full the snapshot was before and after the random load, as dmsetup says it
#   merge          the snapshot back into its origin; prints the milliseconds
#   drop           or away with it
# Judges nothing.
set -eu

tools=/run/bench/tools
mounted=/run/bench/mounted
results=/run/bench/results

fio() {
  "$tools/ld-linux-x86-64.so.2" --library-path "$tools" "$tools/fio" "$@"
}

milliseconds() {
  echo $(($(date +%s%N) / 1000000))
}

prepare() {
  # The golden system has no thin_check, and a pool that was made a minute ago needs none.
  cat > /etc/lvm/lvmlocal.conf << 'END'
global { thin_check_executable = "" }
activation { monitoring = 0 }
END
  mkdir -p "$mounted" "$results"
  vgcreate --quiet bench "$1"
  lvcreate --quiet --yes --size 1g --name origin bench
  # Nothing may be left for the kernel to initialize while we measure.
  mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/bench/origin
  mount /dev/bench/origin "$mounted"
  mkdir "$mounted/files"
  dd if=/dev/zero of="$mounted/sequential" bs=1M count=32 oflag=direct status=none
  dd if=/dev/zero of="$mounted/random" bs=1M count=640 oflag=direct status=none
  umount "$mounted"
  lvcreate --quiet --yes --type thin-pool --size 2g --chunksize 64k --name pool bench
  lvcreate --quiet --yes --virtualsize 1g --thinpool pool --name plain bench
  dd if=/dev/bench/origin of=/dev/bench/plain bs=1M oflag=direct status=none
}

take() {
  case $1 in
    none) volume=origin ;;
    thin)
      volume=plain
      lvcreate --quiet --yes --snapshot --name snap0 bench/plain
      ;;
    *)
      volume=origin
      lvcreate --quiet --yes --snapshot --chunksize "$1k" --extents 100%ORIGIN --name snap0 bench/origin
      ;;
  esac
  mount "/dev/bench/$volume" "$mounted"
  rm -f "$mounted/files/"*
  sync
  echo "$volume" > "$results/volume"
}

load() {
  cd "$results"
  sections=''
  for job in "$@"; do
    sections="$sections --section=$job"
  done
  # shellcheck disable=SC2086 # one word a section
  fio --eta=never --output-format=json --output=fio.json $sections "$tools/snapshot.fio" > fio.log 2>&1 || {
    cat fio.log fio.json
    return 1
  }
  cat fio.json
}

fill() {
  cat "$results/random.prerun.txt" "$results/random.postrun.txt"
}

merge() {
  read -r volume < "$results/volume"
  umount "$mounted"
  begun=$(milliseconds)
  lvconvert --quiet --merge --interval 1 bench/snap0 > "$results/merge.log"
  sync
  ended=$(milliseconds)
  lvchange --activate y "bench/$volume" > /dev/null
  if lvs bench/snap0 > /dev/null 2>&1; then
    echo "snap0 is still there" >&2
    return 1
  fi
  echo $((ended - begun))
}

drop() {
  umount "$mounted"
  if lvs bench/snap0 > /dev/null 2>&1; then
    lvremove --quiet --yes bench/snap0
  fi
}

verb=$1
shift
"$verb" "$@"
