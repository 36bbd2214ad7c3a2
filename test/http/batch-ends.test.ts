import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  CALLER,
  hold,
  lineOf,
  MIB,
  OPEN,
  openBatch,
  PATH,
  startBatchServer,
  until,
  type OpenBatch,
} from './batch-client.js';
import { call, sign, type ServerOptions, type TestServer } from './support.js';

let server: TestServer;
async function start(options: ServerOptions = {}): Promise<void> {
  server = await startBatchServer(options);
}
beforeEach(() => start());
afterEach(() => server.dataPlane.stop());

const WAITING = { ...OPEN, clientId: 'asleep', waitForConnection: 60 };

/** The device `asleep` is not there. */
function sleeping(): void {
  server.delivery.answer = ({ targetClientId }) =>
    Promise.resolve(targetClientId === 'asleep' ? 'CLIENT_NOT_CONNECTED' : 'DELIVERED');
  server.delivery.seen = () => new Promise(() => undefined);
}

describe('lines that wait for their receivers to connect', () => {
  test('hold up nobody, and are withdrawn when the caller hangs up', async () => {
    sleeping();
    const batch = await open();
    batch.outgoing.write(lineOf(WAITING).repeat(1000));
    batch.outgoing.write(lineOf(OPEN));
    expect(await batch.next()).toMatchObject({ line: 1001, reason: 'DELIVERED' });
    batch.outgoing.destroy();
    await until(() => server.events.direct.length === 1001);
    expect(server.events.direct.slice(1)).toEqual(
      Array.from({ length: 1000 }, () => expect.objectContaining({ reason: 'CALLER_GONE', written: 'no' })),
    );
    expect(server.delivery.waits).toHaveLength(1000);
  });

  test('are refused where too many do, and withdrawn when the service drains', async () => {
    sleeping();
    const batch = await open();
    batch.outgoing.write(lineOf(WAITING).repeat(1001));
    expect(await batch.next()).toMatchObject({ line: 1001, status: 429, reason: 'RECEIVER_THROTTLED', written: 'no' });
    const rest = batch.rest();
    const stopped = server.dataPlane.stop();
    expect((await rest).map(({ reason }) => reason)).toEqual(Array.from({ length: 1001 }, () => 'SHUTTING_DOWN'));
    await stopped;
    await start();
  });
});

const open = (): Promise<OpenBatch> => openBatch(server.port, CALLER);

describe('a batch that stands still, or ends before its end', () => {
  test('sends no more to a caller who reads nothing, and then ends the connection', async () => {
    await server.dataPlane.stop();
    await start({ timeouts: { idleMs: 200 } });
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(`POST ${PATH} HTTP/1.1\r\nHost: x\r\nX-Caller: backend\r\nTransfer-Encoding: chunked\r\n\r\n`);
    socket.pause();
    const lines = lineOf(OPEN).repeat(1000);
    const chunk = `${lines.length.toString(16)}\r\n${lines}\r\n`;
    let written = 0;
    // 100 MB and more would go down, were they read.
    while (!socket.destroyed && written < 2000) {
      written += 1;
      if (!socket.write(chunk)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
    }
    socket.resume();
    await closed;
    await until(() => server.events.told.some(({ eventType }) => eventType === 'MessageBatch'));
    expect(server.events.told.at(-1)).toMatchObject({ eventType: 'MessageBatch', reason: 'INVALID_REQUEST' });
    expect(server.delivery.messages.length).toBeLessThan(100_000);
    expect((await call(server.port, { path: '/connections/a/messages', query: { topic: 't' } })).status).toBe(200);
  });

  test('ends when the rest of the body does not come', async () => {
    await server.dataPlane.stop();
    await start({ timeouts: { idleMs: 50, requestMs: 60, headersMs: 60, checkMs: 10 } });
    const held = hold(server);
    const batch = await open();
    batch.outgoing.write(`${lineOf(OPEN)}{"clientId":"lock`);
    await until(() => held.asked() === 1);
    // Slow devices are no reason to end it.
    await new Promise((resolve) => setTimeout(resolve, 200));
    held.settle('DELIVERED');
    expect(await batch.rest()).toMatchObject([
      { line: 1, reason: 'DELIVERED' },
      { status: 400, reason: 'INVALID_REQUEST', lines: 1, details: expect.stringContaining('in time') },
    ]);
    expect(server.events.direct).toHaveLength(1);
  });

  test('goes on past the time that an ordinary request may take', async () => {
    await server.dataPlane.stop();
    await start({ timeouts: { requestMs: 30, headersMs: 30, checkMs: 10, idleMs: 60_000 } });
    const batch = await open();
    for (let line = 1; line <= 5; line += 1) {
      batch.outgoing.write(lineOf(OPEN));
      expect(await batch.next()).toMatchObject({ line, reason: 'DELIVERED' });
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    batch.outgoing.end();
    expect(await batch.rest()).toEqual([]);
  });

  test('reads no more once its caller has hung up, and finishes and logs what is under way', async () => {
    const held = hold(server);
    const batch = await open();
    batch.outgoing.write(`${lineOf(OPEN)}${lineOf(OPEN)}{"clientId":"a"`);
    await until(() => held.asked() === 2);
    batch.outgoing.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.events.told).toEqual([]);
    held.settle('DELIVERED');
    await until(() => server.events.told.length === 3);
    expect(server.events.told).toMatchObject([
      { eventType: 'SendDirectMessage', reason: 'DELIVERED' },
      { eventType: 'SendDirectMessage', reason: 'DELIVERED' },
      {
        eventType: 'MessageBatch',
        reason: 'CALLER_GONE',
        details: expect.stringMatching(/ 2 lines: 2 DELIVERED\.$/),
      },
    ]);
  });

  test('reads no more once the service drains, and answers what is under way', async () => {
    const held = hold(server);
    const batch = await open();
    batch.outgoing.write(lineOf(OPEN));
    await until(() => held.asked() === 1);
    const stopped = server.dataPlane.stop();
    batch.outgoing.write(lineOf({ ...OPEN, clientId: 'late' }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    held.settle('DELIVERED');
    expect(await batch.rest()).toMatchObject([
      { line: 1, reason: 'DELIVERED' },
      { status: 503, reason: 'SHUTTING_DOWN', lines: 1 },
    ]);
    await stopped;
    expect(server.delivery.messages).toHaveLength(1);
    expect(server.events.told.at(-1)).toMatchObject({ eventType: 'MessageBatch', reason: 'SHUTTING_DOWN' });
  });

  test('is told where its bytes stop being HTTP', async () => {
    const socket = connect(server.port, '127.0.0.1');
    const line = lineOf(OPEN);
    socket.write(`POST ${PATH} HTTP/1.1\r\nHost: x\r\nX-Caller: backend\r\nTransfer-Encoding: chunked\r\n\r\n`);
    socket.write(`${line.length.toString(16)}\r\n${line}\r\nno chunk\r\n`);
    const answer = await text(socket);
    expect(answer).toContain('"reason":"DELIVERED"');
    expect(answer).toContain('"reason":"INVALID_REQUEST"');
    await until(() => server.events.told.length === 2);
  });

  test('is refused where eight others are under way, and let in once one of them has ended', async () => {
    const others = await Promise.all(Array.from({ length: 8 }, open));
    const refused = await openBatch(server.port, CALLER);
    expect(refused.incoming.statusCode).toBe(429);
    expect(refused.incoming.headers['retry-after']).toBe('1');
    others[0]?.outgoing.end();
    expect(await others[0]?.rest()).toEqual([]);
    const next = await open();
    expect(next.incoming.statusCode).toBe(200);
    for (const { outgoing } of [...others, next]) outgoing.destroy();
  });
});

describe('a signed batch', () => {
  const raw = async (body: string | Uint8Array, tampered: string | Uint8Array = body) => {
    const signed = await sign(server.port, { path: PATH, body });
    const batch = await openBatchWith(signed.headers ?? {}, tampered);
    return batch;
  };
  async function openBatchWith(headers: Readonly<Record<string, string>>, body: string | Uint8Array) {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(
      `POST ${PATH} HTTP/1.1\r\n${head.join('')}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n`,
    );
    socket.write(body);
    return text(socket);
  }

  test('is verified whole, and then sent', async () => {
    const answer = await raw(lineOf(OPEN).repeat(3));
    expect(answer.match(/"reason":"DELIVERED"/g)).toHaveLength(3);
  });

  test('is acted upon in nothing where the body is not what was signed', async () => {
    const lines = lineOf(OPEN).repeat(3);
    const answer = await raw(lines, lines.replace('cmd', 'CMD'));
    expect(answer).toContain('401');
    expect(server.delivery.messages).toEqual([]);
    expect(server.events.told).toMatchObject([{ eventType: 'MessageBatch', reason: 'INVALID_CREDENTIALS' }]);
  });

  test('sends nothing before its last byte has come', async () => {
    const lines = lineOf(OPEN).repeat(3);
    const { headers = {} } = await sign(server.port, { path: PATH, body: lines });
    const socket = connect(server.port, '127.0.0.1');
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(
      `POST ${PATH} HTTP/1.1\r\n${head.join('')}Content-Length: ${lines.length}\r\nConnection: close\r\n\r\n`,
    );
    socket.write(lines.slice(0, -1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.delivery.messages).toEqual([]);
    socket.write(lines.slice(-1));
    expect((await text(socket)).match(/"reason":"DELIVERED"/g)).toHaveLength(3);
  });

  test('is refused over 32 MiB, announced or not', async () => {
    const { headers = {} } = await sign(server.port, { path: PATH, body: 'x' });
    const announced = await openBatchWith({ ...headers }, Buffer.alloc(32 * MIB + 1));
    expect(announced).toContain('413');
    const batch = await openBatchChunked(headers, 33);
    expect(batch).toContain('413');
    expect(server.delivery.messages).toEqual([]);
  });

  async function openBatchChunked(headers: Readonly<Record<string, string>>, mebibytes: number): Promise<string> {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    const answer = text(socket);
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`POST ${PATH} HTTP/1.1\r\n${head.join('')}Transfer-Encoding: chunked\r\n\r\n`);
    for (let index = 0; index < mebibytes && socket.writable; index += 1) {
      const more = socket.write(
        Buffer.concat([Buffer.from(`${MIB.toString(16)}\r\n`), Buffer.alloc(MIB), Buffer.from('\r\n')]),
      );
      if (!more) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), answer]);
    }
    return answer;
  }

  test('whose caller hangs up is no defect', async () => {
    const { headers = {} } = await sign(server.port, { path: PATH, body: 'x' });
    const socket = connect(server.port, '127.0.0.1');
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`POST ${PATH} HTTP/1.1\r\n${head.join('')}Content-Length: 100\r\n\r\nabc`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.destroy();
    await until(() => server.events.told.length === 1);
    expect(server.events.told).toMatchObject([{ reason: 'INVALID_REQUEST' }]);
  });
});
