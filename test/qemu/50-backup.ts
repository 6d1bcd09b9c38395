/*
 * Backups of a running appliance, in one boot: every night, new before old, what is refused and in which
 * words, holds and the upgrade guard with real packages, alarms, a full root, runs that are killed; and at
 * the end the way back that the running system asks for, with nobody there.
 */
import {
  alarms,
  BACKUP_SECONDS,
  onlyBackup,
  snapshots,
  zshield,
  type Snapshot,
} from "../lab/backups.ts";
import { faultsOfRestored, readRootState } from "../lab/backup-judge.ts";
import type { Console } from "../lab/console.ts";
import { installedLayer } from "../lab/installed.ts";
import { bootDisk, checkBooted, disk, finishRecovery } from "../lab/recovery.ts";
import { must, type Context, type Scenario } from "../lab/scenario.ts";

const KILLS = 8;

export const scenario: Scenario = {
  name: "backup",
  title: "backups: nightly, new before old, held, guarded, safe against being killed, and put back",
  minutes: 7,
  soak: true,
  needs: ["golden"],
  async run(context) {
    const image = await installedLayer(context, "disk", "golden");
    const drive = disk(image);
    const booted = await bootDisk(context, drive);
    checkBooted(booted);
    const { console, machine } = booted;
    await console.output("systemctl is-system-running --wait || true", 120);
    const parts: [string, (console: Console, context: Context) => Promise<void>][] = [
      ["timers", timers],
      ["night", night],
      ["twice", twice],
      ["hooks", hooks],
      ["holds", holds],
      ["guard", guard],
      ["restore", restore],
      ["initramfs", initramfs],
      ["full root", fullRoot],
      ["kills", kills],
    ];
    for (const [name, part] of parts) {
      const started = Date.now();
      try {
        await part(console, context);
      } catch (error) {
        throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
      context.note(`${name}: ${((Date.now() - started) / 1000).toFixed(0)} s`);
    }

    await console.output("echo stays > /user/mark && echo broken > /etc/fstab && rm -r /boot/*");
    await zshield(console, "restore latest --yes");
    console.send("systemctl reboot");
    await machine.waitForEnd(240);
    const { backup: wanted, root } = await readRootState(context.folder, image);
    must(wanted !== undefined && wanted !== root, "nothing was broken");
    const back = await context.start({ name: "put-back", drives: [{ ...drive, boot: 0 }] });
    const result = await finishRecovery(back);
    must(result.operation === "latest", `it did ${result.operation}`);
    const faults = faultsOfRestored(await readRootState(context.folder, image), wanted);
    must(faults.length === 0, faults.join("; "));
    const after = await bootDisk(context, drive, { name: "after" });
    checkBooted(after);
    await after.console.output("grep stays /user/mark");
    await zshield(after.console, "status", { says: /\(restored\)/ });
  },
};

async function timers(console: Console): Promise<void> {
  await console.output("systemctl is-enabled zshield-backup.timer zshield-check.timer");
  await console.output("systemctl is-active dm-event.socket lvm2-monitor.service");
  const next = await console.output(
    'date -d "$(systemctl show -P NextElapseUSecRealtime zshield-backup.timer)" +%H:%M',
  );
  must(/^03:([012]\d|30)$/.test(next), `the next backup is at ${next}`);
  const threshold = await console.output("lvmconfig activation/snapshot_autoextend_threshold");
  must(threshold === "snapshot_autoextend_threshold=70", threshold);
  // It would tell an alarm just before we ask for it.
  await console.output("systemctl stop zshield-check.timer");
}

/**
 * The clock is put past three: the timer has waited for that. systemd takes the hour for missed before this boot
 * then, and would add the random delay once more.
 */
async function night(console: Console): Promise<void> {
  const before = await onlyBackup(console);
  const dropIn = "/run/systemd/system/zshield-backup.timer.d";
  await console.output(
    `mkdir -p ${dropIn} && printf '[Timer]\\nRandomizedDelaySec=0\\n' > ${dropIn}/now.conf`,
  );
  await console.output("systemctl daemon-reload");
  await console.output(`date -s "$(date -d 'tomorrow 03:31' '+%F %T')"`);
  const journal = "journalctl --quiet --output cat --unit zshield-backup.service";
  const { status, output } = await console.run(
    `timeout 240 sh -c "until ${journal} | grep -q 'backup taken'; do sleep 2; done" || ` +
      `{ ${journal}; systemctl list-timers --all; date; false; }`,
    300,
  );
  must(status === 0, `the night has taken no backup:\n${output}`);
  const nightly = await onlyBackup(console);
  must(nightly.uuid !== before.uuid, "the night has taken no backup");
  must(nightly.tags.includes("zshield.reason=nightly"), nightly.tags.join(" "));

  await console.output("systemctl stop zshield-backup.timer && date -s '+40 hours'");
  await zshield(console, "check", { code: 1, says: /ALARM: the backup is 40 h old/ });
  await zshield(console, "status", { code: 1, says: /TROUBLE: the backup is 40 h old/ });

  // A boot that does not get where it was to get.
  const target = "/etc/systemd/system/never.target";
  await console.output(
    `printf '[Unit]\\nDescription=Never\\n' > ${target} && systemctl set-default -q never.target`,
  );
  await console.output("! systemctl start zshield-backup.service");
  must((await onlyBackup(console)).uuid === nightly.uuid, "a bad boot replaced the backup");
  must((await alarms(console)).at(-1) === "kept-backup", "no alarm after a bad boot");
  await console.output(`systemctl set-default -q multi-user.target && rm ${target}`);
  await console.output(
    "systemctl daemon-reload && systemctl start zshield-backup.service",
    BACKUP_SECONDS,
  );
  must((await onlyBackup(console)).uuid !== nightly.uuid, "a good boot takes no backup");
  await zshield(console, "status");
}

async function twice(console: Console): Promise<void> {
  const factory = await onlyBackup(console);
  await zshield(console, "plan backup", { says: /lvm lvcreate .*--chunksize 65536b/ });
  const said = await zshield(console, "backup --reason first", { says: /can never overflow/ });
  const order = ["take the backup", "remove the old backup", "give the new backup its name"];
  const places = order.map((words) => said.indexOf(words));
  must(
    places.every((place, index) => place > (places[index - 1] ?? -1)),
    `not new before old:\n${said}`,
  );
  const first = await onlyBackup(console);
  must(first.uuid !== factory.uuid, "it is the same snapshot");
  const boot = await console.output("cat /proc/sys/kernel/random/boot_id");
  for (const tag of ["zshield.reason=first", `zshield.boot=${boot}`]) {
    must(first.tags.includes(tag), `no ${tag} in ${first.tags.join(" ")}`);
  }
  must(
    first.tags.some((tag) => /^zshield\.version=\S+$/.test(tag)),
    "no version in its tags",
  );
  const { output } = await console.run("zshield_backup", BACKUP_SECONDS);
  const second = await onlyBackup(console);
  must(second.uuid !== first.uuid, `zshield_backup took none:\n${output}`);
  await zshield(console, "backup list", { says: /\(manual\)[^]*can never overflow/ });
  await zshield(console, "backup verify", { says: /is whole and starts with kernel / });
  await zshield(console, "status", { says: /\(manual\)/ });
}

async function hooks(console: Console): Promise<void> {
  const before = await onlyBackup(console);
  const directory = "/etc/zshield/backup.d";
  await console.output(
    [
      `printf '#!/bin/sh\\necho "$@" >> /run/hooks; echo from-the-hook\\n' > ${directory}/10-mark`,
      `printf '#!/bin/sh\\n[ "$1" = after ]\\n' > ${directory}/20-stop`,
      `chmod 755 ${directory}/*`,
    ].join(" && "),
  );
  await zshield(console, "backup", { code: 3, says: /20-stop stopped the backup/ });
  must((await onlyBackup(console)).uuid === before.uuid, "the old backup has gone");
  await console.output(`rm ${directory}/20-stop`);
  await zshield(console, "backup");
  const calls = await console.output("cat /run/hooks");
  must(calls === "before\nafter failed\nbefore\nafter taken", `the hooks were called so: ${calls}`);
  await console.output("journalctl --sync; journalctl -q -t zshield-backup | grep from-the-hook");
  await console.output(`rm ${directory}/10-mark`);
}

async function holds(console: Console): Promise<void> {
  await console.output(
    "printf '#!/bin/sh\\ncat > /run/alarmed; echo \"$1\" >> /run/alarmed\\n' > /etc/zshield/alarm.d/mark && chmod 755 /etc/zshield/alarm.d/mark",
  );
  await zshield(console, "backup hold 'the audit'");
  const held = await onlyBackup(console);
  await zshield(console, "backup", { code: 3, says: /on hold: the_audit[^]*release/ });
  await zshield(console, "backup --scheduled", { code: 1, says: /the old backup was kept/ });
  must((await onlyBackup(console)).uuid === held.uuid, "the held backup was replaced");
  must((await alarms(console)).at(-1) === "kept-backup", "no alarm in the journal");
  await console.output("grep -q kept-backup /run/alarmed && rm /etc/zshield/alarm.d/mark");
  await zshield(console, "status", { code: 1, says: /alarm of .*the old backup was kept/ });
  await zshield(console, "backup release");
  await zshield(console, "status");
}

/** A package whose configuration fails while /run/broken is there. */
async function guard(console: Console): Promise<void> {
  await console.output(
    [
      "mkdir -p /run/p/DEBIAN && cd /run/p",
      "printf 'Package: zs-test\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n' > DEBIAN/control",
      "printf '#!/bin/sh\\ntest ! -e /run/broken\\n' > DEBIAN/postinst && chmod 755 DEBIAN/postinst",
      "dpkg-deb --root-owner-group -Znone -b /run/p /run/zs-test.deb",
    ].join(" && "),
  );
  const before = await onlyBackup(console);
  const apt = "DEBIAN_FRONTEND=noninteractive apt-get -y";
  await console.output(`${apt} install /run/zs-test.deb`, 300);
  const taken = await onlyBackup(console);
  must(taken.uuid !== before.uuid && taken.tags.includes("zshield.reason=apt"), "none before apt");
  must(!isHeld(taken), "an upgrade that went well leaves a hold");

  // The backup of the upgrade just before is the way back for this one too.
  await console.output("touch /run/broken");
  const { status } = await console.run(`${apt} install --reinstall /run/zs-test.deb`, 300);
  must(status !== 0, "the package was to fail");
  const way = await onlyBackup(console);
  must(way.uuid === taken.uuid && isHeld(way), `after a failed upgrade: ${way.tags.join(" ")}`);
  must((await alarms(console)).at(-1) === "failed-upgrade", "no alarm after a failed upgrade");
  await zshield(console, "backup --scheduled", { code: 1, says: /kept: .*upgrade:apt/ });
  await console.run(`${apt} install --reinstall /run/zs-test.deb`, 300);
  must((await onlyBackup(console)).uuid === way.uuid, "the way back was replaced by a bad state");
  await console.output(`rm /run/broken && dpkg --configure -a`);
  await console.output("zshield upgrade-guard end apt");
  const ended = await onlyBackup(console);
  must(ended.uuid === way.uuid && !isHeld(ended), "the hold did not end");
  await zshield(console, "status");
}

function isHeld({ tags }: Snapshot): boolean {
  return tags.some((tag) => tag.startsWith("zshield.hold="));
}

async function restore(console: Console): Promise<void> {
  await zshield(console, "restore latest", { code: 3, says: /add --yes/ });
  await zshield(console, "restore latest --yes", { says: /WILL BE LOST[^]*\/user[^]*next start/ });
  await zshield(console, "status", { says: /next start: the backup is put back/ });
  await zshield(console, "backup", { code: 3, says: /restore cancel/ });
  await zshield(console, "restore cancel");
  await zshield(console, "restore cancel", { code: 3 });
  const { phase } = JSON.parse(await zshield(console, "status --json")) as { phase: string };
  must(phase === "installed", `the phase is ${phase}`);
}

async function initramfs(console: Console): Promise<void> {
  const later = "99.1.0-later";
  await console.output(
    [
      `cp "/boot/vmlinuz-$(uname -r)" /boot/vmlinuz-${later}`,
      "mkdir /run/later && cd /run/later && touch init",
      `echo init | cpio -o -H newc > /boot/initrd.img-${later}`,
    ].join(" && "),
  );
  const words = new RegExp(`initrd.img-${later} holds no dm-snapshot[^]*make it anew`);
  await zshield(console, "backup", { code: 3, says: words });
  await console.output(`rm /boot/*-${later}`);
}

async function fullRoot(console: Console): Promise<void> {
  await console.output(
    [
      "fallocate -l $(($(stat -f -c '%a*%S' /))) /full; cp --sparse=never /dev/zero /full2",
      "sync && ! dd if=/dev/zero of=/full3 bs=1M count=1 status=none",
    ].join("; "),
    300,
  );
  const before = await onlyBackup(console);
  await zshield(console, "backup");
  must((await onlyBackup(console)).uuid !== before.uuid, "no backup with a full root");
  await console.output("rm -f /full /full2 /full3 && sync");
}

/** SIGKILL, eight times in a row: always a valid backup, and in the end exactly one. */
async function kills(console: Console, { random, note }: Context): Promise<void> {
  const started = Date.now();
  await zshield(console, "backup");
  const usual = (Date.now() - started) / 1000;
  const left: string[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const seconds = (usual * (0.3 + 0.7 * random())).toFixed(2);
    await console.output(
      `zshield backup > /run/killed 2>&1 & sleep ${seconds}; kill -9 $!; wait; true`,
      BACKUP_SECONDS,
    );
    // A command of LVM that was under way goes on by itself, and is waited for by LVM's lock.
    const found = await snapshots(console);
    must(
      found.some(({ valid }) => valid),
      `no valid backup after a kill at ${seconds} s: ${JSON.stringify(found)}`,
    );
    left.push(found.map(({ name }) => name).join("+"));
  }
  note(`killed within ${usual.toFixed(1)} s, left: ${left.join(", ")}`);
  await zshield(console, "backup");
  await onlyBackup(console);
  await zshield(console, "status");
  await console.output('test -z "$(findmnt -n /run/zshield/esp)"');
}
