import type { Socket } from 'node:net';

/** Of a `Writable`, whichever library's. */
interface Corkable {
  cork(): void;
  uncork(): void;
}

const gathering = new WeakSet<Corkable>();

/**
 * Holds back what is written to a stream until everything that has arrived by now is handled, and sends it at once: under
 * load one system call for many packets, where each call costs more than the packet. Alone, a packet waits for nothing.
 */
export function gatherWrites(stream: Corkable): void {
  if (gathering.has(stream)) return;
  gathering.add(stream);
  stream.cork();
  setImmediate(() => {
    gathering.delete(stream);
    stream.uncork();
  });
}

/** Whether something is held back at the moment, so that what is written now goes along with it. */
export function isGathering(stream: Corkable): boolean {
  return gathering.has(stream);
}

/** Above it, to copy costs as much as what it saves. */
const MAX_JOINED_BYTES = 65_536;

/**
 * Lets a socket send what was gathered as one buffer. MQTT packets are written in a dozen pieces, and the system call for
 * many pieces takes twice the CPU of that for one. By the socket's own `_writev`, which is Writable's place for it.
 */
export function joinWrites(socket: Socket): void {
  const writePieces = socket._writev?.bind(socket);
  socket._writev = (pieces, callback) => {
    const buffers = pieces.map(({ chunk, encoding }) => toBuffer(chunk, encoding));
    const bytes = buffers.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (bytes > MAX_JOINED_BYTES && writePieces !== undefined) writePieces(pieces, callback);
    // As Writable says it of buffers; the encoding has no meaning then.
    else socket._write(Buffer.concat(buffers, bytes), 'buffer' as BufferEncoding, callback);
  };
}

function toBuffer(chunk: unknown, encoding: BufferEncoding): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : (chunk as Buffer);
}
