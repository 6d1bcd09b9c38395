/*
 * The face of this machine: its consoles as the kernel lists them, and the kernel kept from writing over the
 * screen while there is one.
 */
import { quietKernel } from "../host/kernel-messages.ts";
import type { Request } from "../model/cmdline.ts";
import { activeConsoles, openConsoles } from "../ui/consoles.ts";
import type { Face } from "../ui/face.ts";
import { openFaces } from "../ui/faces.ts";
import { plainFace } from "../ui/plain-face.ts";

/** Without a request that could be read there is nothing but the plain lines. */
export async function openFace(request: Pick<Request, "ui" | "lang"> | undefined): Promise<Face> {
  const names = activeConsoles();
  if (!request) return plainFace(openConsoles(names));
  const { face, isScreen } = await openFaces(names, request);
  if (!isScreen) return face;
  const restore = quietKernel();
  return {
    ...face,
    close() {
      face.close();
      restore();
    },
  };
}
