/*
 * The users and groups that a package brings. Maintainers' scripts make them on the distribution's own system; on a
 * device sysusers.d does. Owns: which ones these are. Pure.
 */
import {
  type Accounts,
  type Group,
  type Membership,
  type OwnAccounts,
  parseAccounts,
  type User,
} from "../../model/accounts.ts";
import type { Node, RootFacts } from "../../model/harvest.ts";

export interface AccountClues {
  /** Of everything taken. */
  readonly nodes: readonly Pick<Node, "uid" | "gid">[];
  /** Names in units. */
  readonly named: ReadonlySet<string>;
  /** Scripts of the packages, and sysusers.d files, that may name them. */
  readonly scripts: readonly string[];
}

/** Those of the root that the base does not have, and that owners, units or scripts speak of. */
export function planAccounts(
  { accounts }: Pick<RootFacts, "accounts">,
  provided: readonly { readonly accounts: Accounts }[],
  clues: AccountClues,
): OwnAccounts {
  const knownUsers = new Set(
    provided.flatMap((from) => from.accounts.users.map(({ name }) => name)),
  );
  const knownGroups = new Set(
    provided.flatMap((from) => from.accounts.groups.map(({ name }) => name)),
  );
  const uids = new Set(clues.nodes.map(({ uid }) => uid));
  const gids = new Set(clues.nodes.map(({ gid }) => gid));
  const words = new Set(clues.scripts.flatMap((script) => script.match(/[A-Za-z_][\w.-]*/g) ?? []));
  const isMeant = (name: string) => clues.named.has(name) || words.has(name);
  const users = accounts.users.filter(
    ({ name, uid }) => !knownUsers.has(name) && (uids.has(uid) || isMeant(name)),
  );
  const primary = new Set(users.map(({ gid }) => gid));
  const groups = accounts.groups.filter(
    ({ name, gid }) =>
      !knownGroups.has(name) && (gids.has(gid) || primary.has(gid) || isMeant(name)),
  );
  const device: Accounts = {
    users: [...users, ...provided.flatMap((from) => from.accounts.users)],
    groups: [...groups, ...provided.flatMap((from) => from.accounts.groups)],
  };
  return { users, groups, memberships: membershipsOf(accounts, { users, groups }, device) };
}

/** Of the root, where the user or the group is the package's, both are on the device, and nobody has it there yet. */
function membershipsOf(root: Accounts, own: Accounts, device: Accounts): Membership[] {
  const namesOf = (all: readonly { readonly name: string }[]) =>
    new Set(all.map(({ name }) => name));
  const [ownUsers, ownGroups] = [namesOf(own.users), namesOf(own.groups)];
  // sysusers.d would make the one that is not there.
  const [users, groups] = [namesOf(device.users), namesOf(device.groups)];
  const isThere = (user: string, group: string) =>
    !ownGroups.has(group) &&
    device.groups.some(({ name, members }) => name === group && members.includes(user));
  return root.groups
    .filter(({ name }) => groups.has(name))
    .flatMap(({ name: group, members }) =>
      members
        .filter((user) => users.has(user) && (ownUsers.has(user) || ownGroups.has(group)))
        .filter((user) => !isThere(user, group))
        .map((user) => ({ user, group })),
    );
}

/** Old numbers → new ones, for users and for groups. */
export interface Renumbering {
  readonly users: readonly User[];
  readonly groups: readonly Group[];
  readonly uids: ReadonlyMap<number, number>;
  readonly gids: ReadonlyMap<number, number>;
}

/** A user and a group of one name get one number, as distributions do. */
export function renumber(
  { users, groups }: Accounts,
  numbers: ReadonlyMap<string, number>,
): Renumbering {
  const numberOf = (name: string, old: number) => numbers.get(name) ?? old;
  const uids = new Map(users.map(({ name, uid }) => [uid, numberOf(name, uid)]));
  const gids = new Map(groups.map(({ name, gid }) => [gid, numberOf(name, gid)]));
  return {
    uids,
    gids,
    users: users.map((user) => ({
      ...user,
      uid: uids.get(user.uid) ?? user.uid,
      gid: gids.get(user.gid) ?? user.gid,
    })),
    groups: groups.map((group) => ({ ...group, gid: gids.get(group.gid) ?? group.gid })),
  };
}

export const NO_ACCOUNTS: Accounts = parseAccounts("", "");
