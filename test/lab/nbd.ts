/*
 * A disk of ours for QEMU: a network block device on a unix socket, over any store of bytes.
 * A store may hold back its answers, as a disk does whose arm is under way.
 * Owns: the protocol (fixed newstyle handshake, simple replies;
 * https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md). Neither trim nor write-zeroes is
 * offered: QEMU then sends plain writes, which is all that the faulty disks have to know.
 */
import { createServer, type Socket } from "node:net";

/** Offsets and lengths in bytes. All calls are synchronous: one request is done before the next. */
export interface Store {
  readonly sizeBytes: number;
  read(offset: number, length: number): Uint8Array;
  /** `durable`: on the medium before the answer (force unit access). */
  write(offset: number, bytes: Uint8Array, durable: boolean): void;
  flush(): void;
  /** Calls `answer` when the request would be done; without it, at once. Others may overtake it. */
  pace?(kind: RequestKind, offset: number, length: number, answer: () => void): void;
}

export type RequestKind = "read" | "write" | "flush";

export interface NbdServer {
  readonly socket: string;
  close(): Promise<void>;
}

const OPTION = { exportName: 1, abort: 2, info: 6, go: 7 } as const;
const REPLY = { ack: 1, info: 3, unsupported: 0x8000_0001 } as const;
const COMMAND = { read: 0, write: 1, disconnect: 2, flush: 3 } as const;
/** Has flags, knows flush, knows force unit access. */
const TRANSMISSION_FLAGS = 1 | 4 | 8;
const EIO = 5;
const EINVAL = 22;

export async function serveNbd(store: Store, socketPath: string): Promise<NbdServer> {
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    socket.on("error", () => socket.destroy());
    talk(store, socket);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(socketPath, resolve);
  await promise;
  return {
    socket: socketPath,
    close: async () => {
      for (const socket of connections) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

/** Each phase takes one message off the front of what has come, or undefined if it is not whole. */
type Phase = (input: Buffer) => { readonly used: number; readonly next: Phase } | undefined;

function talk(store: Store, socket: Socket): void {
  let pending: Buffer = Buffer.alloc(0);
  let phase: Phase = (input) => (input.length < 4 ? undefined : { used: 4, next: option });

  const option: Phase = (input) => {
    if (input.length < 16) return undefined;
    const code = input.readUInt32BE(8);
    const used = 16 + input.readUInt32BE(12);
    if (input.length < used) return undefined;
    if (code === OPTION.exportName) {
      const answer = Buffer.alloc(10);
      answer.writeBigUInt64BE(BigInt(store.sizeBytes), 0);
      answer.writeUInt16BE(TRANSMISSION_FLAGS, 8);
      socket.write(answer);
      return { used, next: request };
    }
    if (code === OPTION.go || code === OPTION.info) {
      const description = Buffer.alloc(12);
      description.writeUInt16BE(0, 0);
      description.writeBigUInt64BE(BigInt(store.sizeBytes), 2);
      description.writeUInt16BE(TRANSMISSION_FLAGS, 10);
      socket.write(optionReply(code, REPLY.info, description));
      socket.write(optionReply(code, REPLY.ack));
      return { used, next: code === OPTION.go ? request : option };
    }
    const abort = code === OPTION.abort;
    socket.write(optionReply(code, abort ? REPLY.ack : REPLY.unsupported));
    if (abort) socket.end();
    return { used, next: option };
  };

  const request: Phase = (input) => {
    if (input.length < 28) return undefined;
    const forced = (input.readUInt16BE(4) & 1) === 1;
    const command = input.readUInt16BE(6);
    const cookie = input.readBigUInt64BE(8);
    const offset = Number(input.readBigUInt64BE(16));
    const length = input.readUInt32BE(24);
    const used = 28 + (command === COMMAND.write ? length : 0);
    if (input.length < used) return undefined;
    const reply = (kind: RequestKind, bytes: Buffer): void => {
      const send = (): void => void socket.write(bytes);
      if (store.pace) store.pace(kind, offset, length, send);
      else send();
    };
    try {
      if (command === COMMAND.disconnect) {
        socket.end();
      } else if (command !== COMMAND.flush && offset + length > store.sizeBytes) {
        socket.write(answer(cookie, EINVAL));
      } else if (command === COMMAND.read) {
        reply("read", Buffer.concat([answer(cookie, 0), store.read(offset, length)]));
      } else if (command === COMMAND.write) {
        store.write(offset, input.subarray(28, used), forced);
        reply("write", answer(cookie, 0));
      } else if (command === COMMAND.flush) {
        store.flush();
        reply("flush", answer(cookie, 0));
      } else {
        socket.write(answer(cookie, EINVAL));
      }
    } catch {
      socket.write(answer(cookie, EIO));
    }
    return { used, next: request };
  };

  socket.on("data", (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (let done = phase(pending); done; done = phase(pending)) {
      pending = pending.subarray(done.used);
      phase = done.next;
    }
  });
  const greeting = Buffer.from("NBDMAGICIHAVEOPT\0\x03", "latin1");
  socket.write(greeting);
}

function optionReply(option: number, reply: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(20);
  header.writeBigUInt64BE(0x0003e889045565a9n, 0);
  header.writeUInt32BE(option, 8);
  header.writeUInt32BE(reply, 12);
  header.writeUInt32BE(data.length, 16);
  return Buffer.concat([header, data]);
}

function answer(cookie: bigint, error: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32BE(0x67446698, 0);
  header.writeUInt32BE(error, 4);
  header.writeBigUInt64BE(cookie, 8);
  return header;
}
