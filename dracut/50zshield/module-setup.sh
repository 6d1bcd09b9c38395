#!/bin/bash
# The rescue system's dracut module: the zshield executable with its libraries and programs, the
# drivers of the machines it must reach, and what starts it when the kernel command line says so.
# Sourced by dracut's own bash; everything that ends up in the image is POSIX sh.
# Must not: assemble volumes by itself, open a shell, or take along what the machine at hand has.
# shellcheck disable=SC2154 # $kernel, $initdir, $moddir, $systemd… are dracut's

# Only where it was asked for: an installed system's own initramfs must not carry the agent.
check() {
    return 255
}

depends() {
    echo "base udev-rules terminfo rootfs-block fs-lib"
}

# The image would be useless without it: end dracut, not only this function.
zshield_require() {
    local what=$1
    shift
    "$@" && return 0
    dfatal "zshield: $what is missing here, the rescue system cannot be built"
    exit 1
}

# Storage, keyboards and consoles of appliances, file systems, device-mapper targets, watchdogs, and what
# a factory test looks at.
zshield_drivers() {
    # ATA. CompactFlash cards often sit behind one of the old IDE chips.
    echo ahci ata_piix ata_generic pata_amd pata_atiixp pata_jmicron pata_marvell
    echo pata_oldpiix pata_sch pata_serverworks pata_sis pata_via pata_it821x
    echo sata_mv sata_nv sata_sil sata_sil24 sata_via
    echo nvme vmd
    echo sd_mod sr_mod megaraid_sas megaraid_mbox mpt3sas mptsas mptspi hpsa aacraid smartpqi
    echo 3w-9xxx 3w-sas arcmsr isci sym53c8xx
    echo virtio_pci virtio_blk virtio_scsi vmw_pvscsi hv_storvsc
    echo usb-storage uas ums-realtek xhci_pci ehci_pci ohci_pci uhci_hcd
    echo mmc_block sdhci_pci sdhci_acpi rtsx_pci_sdmmc rtsx_usb_sdmmc
    echo usbhid hid_generic atkbd i8042 hyperv_keyboard 8250 8250_pci
    echo ext4 vfat nls_cp437 nls_iso8859-1 nls_ascii nls_utf8 overlay loop efivarfs
    echo dm_mod dm_bufio dm_snapshot dm_verity
    echo sha256_generic sha256_ssse3 crc32c_generic crc32c_intel
    echo iTCO_wdt i6300esb sp5100_tco ipmi_si ipmi_devintf ipmi_watchdog
    # For the factory tests. Network cards are not driven before a test asks (network.rules).
    echo e1000 e1000e igb igc ixgbe r8169 realtek tg3 virtio_net vmxnet3
    echo coretemp k10temp pcspkr evdev
}

# A kernel for virtual machines has few of them. That is no fault, but it is said.
installkernel() {
    local name drivers absent=()
    read -r -d '' -a drivers < <(zshield_drivers)
    hostonly='' instmods "${drivers[@]}"
    for name in "${drivers[@]}"; do
        modinfo -k "$kernel" -F filename "$name" > /dev/null 2>&1 || absent+=("$name")
    done
    ((${#absent[@]} == 0)) || dwarn "zshield: kernel $kernel has no driver: ${absent[*]}"
}

zshield_executable() {
    local program=/usr/lib/zshield/zshield name library
    zshield_require "$program" test -f "$program"
    zshield_require "a library of $program" zshield_complete "$program"
    inst_simple "$program"
    while read -r library; do
        zshield_require "$library" inst "$library"
    done < <(ldd "$program" | sed -n 's,^[^/]*\(/[^ ]*\) (.*,\1,p')
    # dracut strips what is executable, and a stripped Bun binary is a plain Bun: the launcher sets
    # the bit in the running rescue system.
    chmod 0644 "$initdir$program"
    inst_script "$moddir/zshield.sh" /usr/bin/zshield
    for name in $("$program" tools); do
        zshield_require "$name" inst_multiple "$name"
    done
}

zshield_complete() {
    local libraries
    libraries=$(ldd "$1") && [[ $libraries != *"not found"* ]]
}

zshield_terminals() {
    local name directory
    for name in l/linux v/vt100 v/vt220 x/xterm s/screen; do
        for directory in /lib/terminfo /usr/share/terminfo /etc/terminfo; do
            [[ -e $directory/$name ]] && break
        done
        zshield_require "terminfo ${name#*/}" inst_simple "$directory/$name"
    done
}

zshield_systemd() {
    local units=$systemdsystemunitdir name
    inst_script "$moddir/generator.sh" "$systemdutildir/system-generators/zshield-generator"
    inst_simple "$moddir/zshield-recovery.target" "$units/zshield-recovery.target"
    inst_simple "$moddir/zshield-recovery.service" "$units/zshield-recovery.service"
    # Whatever fails, and whoever asks: no shell. /etc wins over the units of systemd and dracut.
    for name in emergency rescue dracut-emergency; do
        inst_simple "$moddir/stopped.service" "/etc/systemd/system/$name.service"
    done
    # The kernel command line can ask for each by name: systemd.debug_shell, rd.systemd.wants=,
    # rd.systemd.unit=. dracut takes along the first alone; the others are shut before it takes more.
    for name in debug-shell console-getty getty@ serial-getty@ autovt@ container-getty@; do
        ln -sfn /dev/null "$initdir/etc/systemd/system/$name.service"
    done
    # Runs a command of the command line (systemd.run=); not needed here, and not to be had.
    rm -f "$initdir$systemdutildir/system-generators/systemd-run-generator"
}

zshield_hooks() {
    # Behind dracut's own look at root= (10), before it begins to wait for that device (95).
    inst_hook cmdline 11 "$moddir/cmdline-hook.sh"
    inst_hook pre-mount 00 "$moddir/recover-hook.sh"
}

install() {
    zshield_executable
    zshield_terminals
    inst_multiple cat chmod env modprobe setsid sleep stty tail
    inst_script "$moddir/recover.sh" /usr/lib/zshield/recover.sh
    inst_script "$moddir/stopped.sh" /usr/lib/zshield/stopped.sh
    inst_simple "$moddir/no-shell.sh" /etc/conf.d/zshield.conf
    inst_simple "$moddir/modprobe.conf" /etc/modprobe.d/zshield.conf
    inst_simple "$moddir/lvm.conf" /etc/lvm/lvm.conf
    zshield_require /etc/mke2fs.conf inst_simple /etc/mke2fs.conf
    # The card's configuration is laid in here when the card is made.
    mkdir -p "$initdir/etc/zshield"
    # Links by name for volumes: Debian's rules, then Fedora's. Deliberately not 69-*lvm*.rules, which
    # activate them, and not dracut's dm module, which takes along md, raid and bcache.
    inst_rules 55-dm.rules 56-lvm.rules 60-persistent-storage-dm.rules 95-dm-notify.rules \
        10-dm.rules 11-dm-lvm.rules 13-dm-disk.rules
    inst_simple "$moddir/network.rules" /etc/udev/rules.d/79-zshield-network.rules
    if dracut_module_included systemd; then
        zshield_systemd
    else
        zshield_hooks
    fi
    inst_hook pre-pivot 10 "$moddir/overlay-hook.sh"
}
