/*
 * What was wished for, on the kernel command line or at the console. Owns: the type.
 */
import type { Request } from "../model/cmdline.ts";

export type Wish = Pick<Request, "disk" | "confirm" | "erase" | "keep" | "test">;
