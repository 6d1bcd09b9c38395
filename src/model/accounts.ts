/*
 * Users and groups: /etc/passwd and /etc/group, and the lines of sysusers.d(5) that make them on another system.
 * Owns: these formats, and numbers that stay the same for ever (`users.txt`). No I/O.
 */
import { Refusal } from "../errors.ts";

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly comment: string;
  readonly home: string;
  readonly shell: string;
}

export interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

export interface Accounts {
  readonly users: readonly User[];
  readonly groups: readonly Group[];
}

/** A user in a group beside its own; either may be of somebody else. */
export interface Membership {
  readonly user: string;
  readonly group: string;
}

/** Of a package: its own users and groups, and who belongs to which. */
export interface OwnAccounts extends Accounts {
  readonly memberships: readonly Membership[];
}

const rows = (text: string) =>
  text
    .split("\n")
    .filter((line) => line !== "" && !/^[#+-]/.test(line))
    .map((line) => line.split(":"));

export function parseAccounts(passwd: string, group: string): Accounts {
  return {
    users: rows(passwd).map(([name = "", , uid, gid, comment = "", home = "/", shell = ""]) => ({
      name,
      uid: Number(uid),
      gid: Number(gid),
      comment,
      home,
      shell,
    })),
    groups: rows(group).map(([name = "", , gid, members = ""]) => ({
      name,
      gid: Number(gid),
      members: members.split(",").filter((member) => member !== ""),
    })),
  };
}

/** Name → number, of users and groups that have one name and one number each, or of either alone. */
export type Numbers = ReadonlyMap<string, number>;

/** `users.txt`: a name and a number a line. @throws Refusal naming the line */
export function parseNumbers(text: string, file: string): Map<string, number> {
  const numbers = new Map<string, number>();
  text.split("\n").forEach((line, index) => {
    if (line === "" || line.startsWith("#")) return;
    const [, name, number] = /^([a-zA-Z_][\w.-]*)[ \t]+(\d{1,5})$/.exec(line) ?? [];
    const isTaken = [...numbers.values()].includes(Number(number));
    if (name === undefined || numbers.has(name) || isTaken) {
      throw new Refusal(
        `${file}, line ${index + 1}: expected a name and a number that are not there yet`,
        "a line is like: zabbix 991",
      );
    }
    numbers.set(name, Number(number));
  });
  return numbers;
}

export function printNumbers(numbers: Numbers): string {
  const lines = [...numbers].map(([name, number]) => `${name} ${number}\n`);
  return [
    "# Users and groups of packages, the same on every device for ever. Lines are added, never changed.\n",
    ...lines,
  ].join("");
}

/** Where distributions do not go when they count up from 100 or down from 999. */
const [FIRST_NUMBER, LAST_NUMBER] = [400, 899];

/** The numbers with those added that are missing. @throws Refusal when none is left */
export function assignNumbers(names: readonly string[], known: Numbers): Map<string, number> {
  const numbers = new Map(known);
  const used = new Set(numbers.values());
  for (const name of names) {
    if (numbers.has(name)) continue;
    let number = FIRST_NUMBER;
    while (used.has(number)) number += 1;
    if (number > LAST_NUMBER) throw new Refusal("no number is left for another user", "");
    used.add(number);
    numbers.set(name, number);
  }
  return numbers;
}

/** Lines of a sysusers.d file: groups first, then users, then who belongs to which. */
export function printSysusers(
  { users, groups, memberships }: OwnAccounts,
  groupName: (gid: number) => string,
): string {
  const lines = [
    ...groups.map(({ name, gid }) => `g ${name} ${gid}`),
    ...users.map(
      ({ name, uid, gid, comment, home, shell }) =>
        `u ${name} ${uid}:${groupName(gid)} ${quote(comment.replace(/,+$/, ""))} ${quote(home)} ${quote(shell)}`,
    ),
    ...memberships.map(({ user, group }) => `m ${user} ${group}`),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function quote(text: string): string {
  return text === "" ? "-" : `"${text.replaceAll(/[\\"]/g, "\\$&").replaceAll("%", "%%")}"`;
}
