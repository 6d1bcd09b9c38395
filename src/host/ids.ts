/*
 * Everything random or dated that a plan needs, made in one place, so that planners stay pure.
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { Ids } from "../model/ids.ts";

export function makeIds(): Ids {
  return {
    diskUuid: randomUUID(),
    partitions: { biosBoot: randomUUID(), esp: randomUUID(), group: randomUUID() },
    espVolumeId: randomBytes(4).toString("hex"),
    rootUuid: randomUUID(),
    userUuid: randomUUID(),
    auditUuid: randomUUID(),
    machineId: randomUUID().replaceAll("-", ""),
    nowSeconds: Math.floor(Date.now() / 1000),
  };
}
