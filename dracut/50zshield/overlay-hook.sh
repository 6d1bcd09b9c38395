#!/bin/sh
# Golden started as a system, with rd.live.overlay.overlayfs=1: it stays read-only below a layer in
# RAM that is gone with the power. dracut 059's own module does this too early where systemd mounts
# the root, and hands rootflags=noload to overlayfs, which knows no such option.

if getargbool 0 rd.live.overlay.overlayfs; then
    modprobe overlay
    mkdir -p /run/golden/root /run/golden/changes
    mount -t tmpfs -o mode=0755 zshield-changes /run/golden/changes
    mkdir -p /run/golden/changes/upper /run/golden/changes/work
    mount --bind "$NEWROOT" /run/golden/root
    # Else the layer would come to lie over this name too.
    mount --make-private /run/golden/root
    zshield_layers=lowerdir=/run/golden/root,upperdir=/run/golden/changes/upper
    mount -t overlay golden -o "$zshield_layers,workdir=/run/golden/changes/work" "$NEWROOT" \
        || emergency_shell "no layer in RAM could be laid over it"
fi
