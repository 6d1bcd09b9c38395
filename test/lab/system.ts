/*
 * What must hold in an installed system, asked at its own console with the system's own tools.
 * Owns: these questions. Starts nothing.
 */
import type { Console } from "./console.ts";
import { must } from "./scenario.ts";

/** Mounts, volumes, backup, `zshield status`. */
export async function checkInstalled(console: Console): Promise<void> {
  for (const [path, volume] of [
    ["/", "vgroup-lv--root"],
    ["/user", "vgroup-lv--user"],
    ["/audit", "vgroup-lv--audit"],
  ]) {
    // A volume has more than one name; which of them findmnt prints depends on the initramfs.
    const source = await console.output(
      `realpath "$(findmnt --noheadings --output SOURCE ${path})" /dev/mapper/${volume}`,
    );
    const [found, wanted] = source.split("\n");
    must(found === wanted, `${path} is mounted from ${found}, not from ${wanted} (${volume})`);
  }
  const report = "--reportformat json --options lv_name,origin,lv_snapshot_invalid,lv_attr";
  const lvs = JSON.parse(await console.output(`lvs ${report} vgroup 2>/dev/null`)) as {
    readonly report: readonly { readonly lv: readonly Record<string, string>[] }[];
  };
  const volumes = lvs.report[0]?.lv ?? [];
  const names = volumes.map(({ lv_name }) => lv_name).sort();
  must(names.join(" ") === "lv-audit lv-root lv-user snap0", `the volumes are ${names.join(", ")}`);
  const backup = volumes.find(({ lv_name }) => lv_name === "snap0");
  must(backup?.origin === "lv-root", `snap0 is a snapshot of ${backup?.origin}`);
  must(
    backup.lv_snapshot_invalid === "" && backup.lv_attr?.startsWith("swi-a-s") === true,
    `snap0 is not valid: ${JSON.stringify(backup)}`,
  );
  // LVM and udev may still be at work behind the login.
  await console.output("systemctl is-system-running --wait || true", 120);
  // The small root does without zshield itself.
  await console.output("test ! -x /usr/bin/zshield || zshield status", 60);
}

const seen = new Map<string, string>();

/** A machine-id and ssh host keys that no machine of this run had before. */
export async function checkIdentity(console: Console): Promise<void> {
  const machineId = await console.output("cat /etc/machine-id");
  must(/^[0-9a-f]{32}$/.test(machineId), `the machine-id is "${machineId}"`);
  isNew("machine-id", machineId);
  const keys = await console.output("cat /etc/ssh/ssh_host_*_key.pub 2>/dev/null || true");
  const hasServer = (await console.run("test -x /usr/sbin/sshd")).status === 0;
  must(keys !== "" || !hasServer, "there are no ssh host keys");
  for (const key of keys.split("\n").filter((line) => line !== "")) {
    isNew("ssh host key", key.split(" ")[1] ?? "");
  }
}

function isNew(what: string, value: string): void {
  const before = seen.get(value);
  must(before === undefined, `two machines have the same ${what}`);
  seen.set(value, what);
}

/** Not a page of the executable has been read since the start: it costs a normal boot nothing. */
export async function checkNoBun(console: Console): Promise<void> {
  const executable = "/usr/lib/zshield/zshield";
  const resident = await console.output(`fincore --noheadings --bytes --output RES ${executable}`);
  must(resident.trim() === "0", `${resident.trim()} bytes of ${executable} were read by the boot`);
}
