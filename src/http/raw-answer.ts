import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Rendered } from './rendering.js';

/**
 * How long a connection that is being closed still swallows what its peer sends, in milliseconds. To close with unread
 * bytes makes TCP reset the connection, and a reset may destroy the answer before the peer has read it.
 */
const LINGER_MS = 1000;

/**
 * Writes a whole HTTP/1.1 answer straight to a connection, and closes it. For where no ordinary response can be
 * written: what came was not HTTP, or the rest of the request is not going to be read.
 */
export function answerAndClose(socket: Duplex, { status, headers, body }: Rendered): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const all = { ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head.join('')}\r\n${body}`);
  linger(socket);
}

/** Closes a connection on which nothing more is sent, once its peer has had time to read what was. */
export function linger(socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => {
    clearTimeout(timer);
  });
  socket.once('end', () => socket.destroy());
  socket.resume();
}
