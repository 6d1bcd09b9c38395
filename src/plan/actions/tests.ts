/*
 * The commands of steps for the factory tests: what is installed opened, and one test after the other. Pure.
 */
import { AT } from "../../model/places.ts";
import { lvm, mountForWriting, type Part, run } from "./part.ts";

export const TESTS: Part<"open-volumes" | "factory-test" | "vendor-tests"> = {
  // Without a copy of LVM's metadata on the ESP: nothing of it is changed, and an old copy would be worse than none.
  "open-volumes": ({ group, fileSystem, root, user, audit }, plan) => [
    run(lvm(plan, "vgchange", "--activate", "y", "--sysinit", group)),
    run(["udevadm", "settle", "--timeout=30"]),
    { do: "mount", device: root, at: AT.root, fileSystem, options: "ro" },
    mountForWriting(user, AT.user, fileSystem),
    mountForWriting(audit, AT.audit, fileSystem),
  ],

  "factory-test": ({ test, proof, boot }) => [{ do: "factory-test", test, proof, boot }],

  "vendor-tests": ({ seconds }) => [{ do: "vendor-tests", seconds }],
};
