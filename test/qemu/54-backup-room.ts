/*
 * A volume group without room: no room at all, a backup that begins small and is made larger, no room for
 * two, and one that overflows, which the rescue system refuses to put back.
 */
import { MIB } from "../../src/model/size.ts";
import { alarms, leaveFree, onlyBackup, snapshots, zshield } from "../lab/backups.ts";
import type { Console } from "../lab/console.ts";
import { installedLayer } from "../lab/installed.ts";
import { bootDisk, checkBooted, disk, refuse, UNATTENDED, watch } from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";

export const scenario: Scenario = {
  name: "backup-room",
  title: "backups without room: refused, made larger, replaced, and not put back once overflowed",
  minutes: 5,
  soak: true,
  needs: ["golden", "small"],
  async run(context) {
    const image = await installedLayer(context, "disk", "golden");
    const booted = await bootDisk(context, disk(image));
    checkBooted(booted);
    const { console } = booted;
    await console.output("systemctl is-system-running --wait || true", 120);
    // It would tell an alarm just before we ask for it.
    await console.output("systemctl stop zshield-check.timer");
    await filling(console);
    await overflowing(console);
    await console.output("sync");
    await booted.machine.kill();

    const layer = await watch(context, "overflowed", image);
    await refuse(context, {
      card: await context.card("small"),
      drives: [disk(layer)],
      layers: [layer],
      operation: "latest",
      parameters: UNATTENDED,
      saved: true,
      words: [
        /the backup .*is not valid.*: it overflowed/,
        /choose "Recover to factory default": user and audit data stay/,
      ],
    });
  },
};

/** A small backup that fills: each threshold once, dmeventd makes it larger, and no room for two. */
async function filling(console: Console): Promise<void> {
  await zshield(console, "backup remove --yes", { says: /there is no backup now/ });
  await zshield(console, "check", { code: 1, says: /ALARM: there is no backup/ });
  await leaveFree(console, 8 * MIB);
  const words = /no room for a backup: 8(\.0)? MiB are free[^]*at least 16(\.0)? MiB/;
  await zshield(console, "backup", { code: 3, says: words });
  await zshield(console, "upgrade-guard begin apt", { code: 3, says: /the upgrade is stopped/ });
  await console.output("lvremove -qq -y vgroup/filler");
  await leaveFree(console, 100 * MIB);
  await zshield(console, "backup", { says: /grows while it fills/ });
  const small = await onlyBackup(console);
  must(small.sizeBytes === 100 * MIB && small.monitor === "monitored", JSON.stringify(small));

  await fill(console, 52);
  await zshield(console, "check", { code: 1, says: /ALARM: the backup is 5\d.* % full/ });
  const before = await alarms(console);
  must(before.at(-1) === "fill-50", `alarms: ${before.join(" ")}`);
  await zshield(console, "check", { code: 1 });
  must((await alarms(console)).length === before.length, "told twice");
  await zshield(console, "status", { code: 1, says: /TROUBLE: the backup is/ });

  const old = await onlyBackup(console);
  await zshield(console, "backup", { says: /for a moment there will be none/ });
  const anew = await onlyBackup(console);
  must(anew.uuid !== old.uuid, "no new backup without room for two");
  await zshield(console, "status");

  await console.output("lvremove -qq -y vgroup/filler");
  await fill(console, 72);
  const size = "lvs --noheadings --units b --nosuffix -o lv_size vgroup/snap0 2>/dev/null";
  await console.output(
    `timeout 60 sh -c 'while [ $(${size}) -le ${anew.sizeBytes} ]; do sleep 1; done'`,
    90,
  );
}

/** Nothing is left for dmeventd to make it larger with. */
async function overflowing(console: Console): Promise<void> {
  await leaveFree(console, 0);
  await console.output(
    "dd if=/dev/urandom of=/usr/much bs=1M count=400 conv=fsync status=none && rm /usr/fill-*",
    300,
  );
  const [lost] = await snapshots(console);
  must(lost !== undefined && !lost.valid, `it did not overflow: ${JSON.stringify(lost)}`);
  await zshield(console, "check", {
    code: 1,
    says: /ALARM: the backup is not valid: it overflowed/,
  });
  must((await alarms(console)).at(-1) === "invalid-backup", "no alarm in the journal");
  await zshield(console, "status", { code: 1, says: /TROUBLE: the backup is not valid/ });
  await zshield(console, "backup verify", { code: 3, says: /not valid: it overflowed/ });
  await zshield(console, "restore latest --yes", { code: 3, says: /not valid: it overflowed/ });
}

/** Writes to root until the backup is so full. */
async function fill(console: Console, percent: number): Promise<void> {
  await console.output(
    [
      "n=0",
      `while lvs --noheadings -o data_percent vgroup/snap0 2>/dev/null | awk '{exit !($1 < ${percent})}'; do`,
      "n=$((n + 1)); dd if=/dev/urandom of=/usr/fill-$n bs=1M count=3 conv=fsync status=none; done",
    ].join("\n"),
    240,
  );
}
