import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { BenchService } from './service.js';

export interface Load {
  readonly messages: number;
  readonly seconds: number;
  /** Processor time of the service. */
  readonly cpuSeconds: number;
}

/** Sends for this many milliseconds, every caller one request at a time. */
export async function load(service: BenchService, milliseconds: number): Promise<Load> {
  const sockets = await Promise.all(
    service.requests.map(async () => {
      const socket = connect(service.port, '127.0.0.1');
      socket.setNoDelay(true);
      await once(socket, 'connect');
      return socket;
    }),
  );
  const cpu = service.cpuSeconds();
  const started = performance.now();
  const until = started + milliseconds;
  const counts = await Promise.all(
    sockets.map((socket, index) => callAgain(socket, service.requests[index] ?? Buffer.alloc(0), until)),
  );
  const seconds = (performance.now() - started) / 1000;
  const cpuSeconds = service.cpuSeconds() - cpu;
  for (const socket of sockets) socket.destroy();
  return { messages: counts.reduce((sum, count) => sum + count, 0), seconds, cpuSeconds };
}

/** Sends, waits for the whole answer, sends again. @throws Error for any answer but 200. */
function callAgain(socket: Socket, request: Buffer, until: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    let received = '';
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      const head = received.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? NaN);
      if (received.length < head + 4 + length) return;
      if (!received.startsWith('HTTP/1.1 200')) {
        reject(new Error(received));
        return;
      }
      received = '';
      count += 1;
      if (performance.now() < until) socket.write(request);
      else resolve(count);
    });
    socket.write(request);
  });
}
