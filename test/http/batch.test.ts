import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { CallerAuthenticator } from '../../src/identity/caller.js';
import { SigV4Authenticator } from '../../src/identity/sigv4/authenticator.js';
import { CallerThrottle } from '../../src/throttling/caller-throttle.js';
import type { Reason } from '../../src/reasons.js';
import { lineOf, openBatch, type OpenBatch } from './batch-client.js';
import {
  call,
  CREDENTIALS,
  exchange,
  expectError,
  REGION,
  sign,
  startServer,
  type ServerOptions,
  type TestServer,
} from './support.js';

const PATH = '/messages:batch';
const OPEN = { clientId: 'lock-17', topic: 'cmd', confirmation: true };
const MIB = 1024 * 1024;

/** Knows its caller by the head alone, as a token or a client certificate do. */
const byHead: CallerAuthenticator = {
  scheme: 'head',
  authenticate: ({ peer, headers }) =>
    headers.has('x-caller') ? { ok: true, identity: { ...peer, jwtSubject: 'backend' } } : undefined,
};
const CALLER = { 'x-caller': 'backend' };

let server: TestServer;
async function start(options: ServerOptions = {}): Promise<void> {
  const accessKeys = {
    secretsOf: (id: string) => (id === CREDENTIALS.accessKeyId ? [CREDENTIALS.secretAccessKey] : []),
  };
  const sigv4 = new SigV4Authenticator({ accessKeys, region: REGION, now: () => Date.now() });
  server = await startServer({ authenticators: [sigv4, byHead], ...options });
}
beforeEach(() => start());
afterEach(() => server.dataPlane.stop());

const open = (): Promise<OpenBatch> => openBatch(server.port, CALLER);

/** Until the test says so, the outcome of every message is open. */
function hold(): { readonly settle: (reason: Reason) => void; readonly asked: () => number } {
  const waiting: ((reason: Reason) => void)[] = [];
  let asked = 0;
  server.delivery.answer = () => {
    asked += 1;
    return new Promise((resolve) => waiting.push(resolve));
  };
  return {
    settle: (reason) => {
      for (const one of waiting.splice(0)) one(reason);
    },
    asked: () => asked,
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('a batch whose caller is known by the head of the request', () => {
  test('answers lines while others have not been sent', async () => {
    const batch = await open();
    expect(batch.incoming.statusCode).toBe(200);
    expect(batch.incoming.headers['content-type']).toBe('application/x-ndjson');
    batch.outgoing.write(lineOf({ ...OPEN, payload: 'now', idempotencyKey: 'k1' }));
    expect(await batch.next()).toEqual({
      line: 1,
      clientId: 'lock-17',
      idempotencyKey: 'k1',
      status: 200,
      reason: 'DELIVERED',
      written: 'yes',
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    batch.outgoing.write(lineOf({ ...OPEN, clientId: 'lock-18', payloadBase64: 'AAE=', timeout: 3 }));
    expect(await batch.next()).toMatchObject({ line: 2, clientId: 'lock-18', reason: 'DELIVERED' });
    batch.outgoing.end();
    expect(await batch.next()).toBeUndefined();
    const [first, second] = server.delivery.messages;
    expect(Buffer.from(first?.payload ?? []).toString()).toBe('now');
    expect(second).toMatchObject({ targetClientId: 'lock-18', timeoutMs: 3000, confirmation: true });
    expect([...(second?.payload ?? [])]).toEqual([0, 1]);
    expect(first?.identity?.id).toBe('k1');
  });

  test('has all fields of the single call', async () => {
    const batch = await open();
    const properties = {
      contentType: 'text/plain',
      responseTopic: 'answers/1',
      userProperties: [{ a: '1' }, { a: '2' }],
      payloadFormatIndicator: 'UTF8_DATA',
      correlationData: 'AAE=',
    };
    batch.outgoing.end(lineOf({ ...OPEN, ...properties, payload: 'ü' }));
    expect(await batch.rest()).toMatchObject([{ reason: 'DELIVERED' }]);
    expect(server.delivery.messages[0]?.properties).toEqual({
      contentType: 'text/plain',
      responseTopic: 'answers/1',
      userProperties: [
        ['a', '1'],
        ['a', '2'],
      ],
      payloadFormatIndicator: true,
      correlationData: Buffer.from([0, 1]),
    });
  });

  test.each<[broken: string | Buffer, field: string | undefined, rule: RegExp]>([
    ['{"clientId":"a"', undefined, /^No JSON: expected .* at column 16\.$/],
    ['[1]', undefined, /^Not a JSON object\.$/],
    ['null', undefined, /^Not a JSON object\.$/],
    ['[['.repeat(20_000), undefined, /^No JSON/],
    [`${'['.repeat(50_000)}${']'.repeat(50_000)}`, undefined, /^Not a JSON object\.$/],
    [`{"topic":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, 'topic', /^Not text\.$/],
    ['\ufeff{}', undefined, /^No JSON/],
    ['{"clientId":"a","clientId":"b","topic":"t"}', 'clientId', /twice/],
    ['{"clientId":"a","topic":"t","__proto__":{"confirmation":true}}', '__proto__', /^No such field/],
    ['{"clientId":"a","topic":"t","confirm":true}', 'confirm', /^No such field/],
    ['{"topic":"t"}', 'clientId', /^Missing\.$/],
    ['{"clientId":7,"topic":"t"}', 'clientId', /^Not text\.$/],
    ['{"clientId":"a","topic":"t","confirmation":"true"}', 'confirmation', /^Not true or false\.$/],
    ['{"clientId":"a","topic":"t","confirmation":true,"timeout":1.5}', 'timeout', /^Not a whole number\.$/],
    ['{"clientId":"a","topic":"t","payload":"a","payloadBase64":"YQ=="}', 'payloadBase64', /one of them/],
    ['{"clientId":"a","topic":"t","payloadBase64":"?"}', 'payloadBase64', /^Not base64\.$/],
    ['{"clientId":"a","topic":"t","payload":"\\ud800"}', 'payload', /Unicode/],
    ['{"clientId":"","topic":"t"}', 'clientId', /empty/],
    ['{"clientId":"a","topic":"t/#"}', 'topic', /wildcard/],
    ['{"clientId":"a","topic":"$t"}', 'topic', /\$/],
    ['{"clientId":"a","topic":"t","confirmation":true,"timeout":99}', undefined, /^timeout is not/],
    ['{"clientId":"a","topic":"t","userProperties":[{"dm-id":"x"}]}', undefined, /dm-/],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), undefined, /^The line is not UTF-8\.$/],
  ])('gives a broken line an error of its own (%#)', async (broken, field, rule) => {
    const batch = await open();
    batch.outgoing.write('\r\n');
    batch.outgoing.write(broken);
    batch.outgoing.write('\n');
    batch.outgoing.end(JSON.stringify(OPEN));
    const outcomes = await batch.rest();
    expect(outcomes).toHaveLength(2);
    const about = outcomes.find(({ line }) => line === 2);
    expect(about).toMatchObject({ status: 400, details: expect.stringMatching(rule) });
    expect(about?.['field']).toBe(field);
    expect(outcomes.find(({ line }) => line === 3)).toMatchObject({ reason: 'DELIVERED' });
    expect(server.events.direct.map(({ reason }) => reason).sort()).toEqual(['DELIVERED', about?.['reason']]);
  });

  test('authorizes each line by itself', async () => {
    server.denied.add('client/forbidden');
    const batch = await open();
    for (const clientId of ['lock-1', 'forbidden', 'lock-2']) batch.outgoing.write(lineOf({ ...OPEN, clientId }));
    batch.outgoing.end();
    const outcomes = await batch.rest();
    expect(outcomes.find(({ line }) => line === 2)).toMatchObject({ status: 403, reason: 'SENDER_NOT_AUTHORIZED' });
    expect(outcomes.filter(({ reason }) => reason === 'DELIVERED')).toHaveLength(2);
    expect(server.delivery.messages.map(({ targetClientId }) => targetClientId)).toEqual(['lock-1', 'lock-2']);
  });

  test('is not held up by a device that does not answer', async () => {
    let silent: (reason: Reason) => void = () => undefined;
    server.delivery.answer = ({ targetClientId }) =>
      targetClientId === 'silent' ? new Promise((resolve) => (silent = resolve)) : Promise.resolve('DELIVERED');
    const batch = await open();
    batch.outgoing.write(lineOf({ ...OPEN, clientId: 'silent' }));
    for (let index = 0; index < 100; index += 1) batch.outgoing.write(lineOf(OPEN));
    batch.outgoing.end();
    for (let index = 0; index < 100; index += 1) expect(await batch.next()).toMatchObject({ reason: 'DELIVERED' });
    silent('PUBACK_TIMEOUT');
    expect(await batch.rest()).toMatchObject([{ line: 1, status: 504, reason: 'PUBACK_TIMEOUT' }]);
  });

  test('refuses a line of 64 MiB without keeping it', async () => {
    const batch = await open();
    batch.outgoing.write(lineOf(OPEN));
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let index = 0; index < 64; index += 1) {
      if (!batch.outgoing.write(Buffer.alloc(MIB, 'x'))) await once(batch.outgoing, 'drain');
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    batch.outgoing.end(`\n${JSON.stringify(OPEN)}`);
    const outcomes = await batch.rest();
    expect(outcomes.map(({ line, status }) => [line, status]).sort()).toEqual([
      [1, 200],
      [2, 413],
      [3, 200],
    ]);
    expect(most).toBeLessThan(48 * MIB);
  });

  test('ends with the line over 100,000, and says so', async () => {
    const batch = await open();
    batch.outgoing.end('\n'.repeat(99_999) + lineOf(OPEN) + lineOf(OPEN));
    expect(await batch.rest()).toMatchObject([
      { line: 100_000, reason: 'DELIVERED' },
      { reason: 'PAYLOAD_TOO_LARGE', status: 413, lines: 1, details: 'A batch has at most 100000 lines.' },
    ]);
    expect(server.delivery.messages).toHaveLength(1);
  });

  test('is one event beside those of its messages', async () => {
    const batch = await open();
    batch.outgoing.end(lineOf(OPEN) + lineOf(OPEN) + lineOf({}));
    await batch.rest();
    const [ended, ...others] = server.events.told.filter(({ eventType }) => eventType === 'MessageBatch');
    expect(others).toEqual([]);
    expect(ended).toMatchObject({
      details: '3 lines: 2 DELIVERED, 1 INVALID_PARAMETER.',
      identity: { jwtSubject: 'backend' },
    });
    expect(ended?.reason).toBeUndefined();
    expect(server.events.direct).toHaveLength(3);
  });

  test('waits for the rate of its caller, and is refused nothing', async () => {
    await server.dataPlane.stop();
    let now = 0;
    await start({ throttle: new CallerThrottle({ perCaller: { perSecond: 1, burst: 2 } }, () => now) });
    const batch = await open();
    batch.outgoing.end(lineOf(OPEN).repeat(3));
    expect(await batch.next()).toMatchObject({ reason: 'DELIVERED' });
    expect(await batch.next()).toMatchObject({ reason: 'DELIVERED' });
    expect(server.delivery.messages).toHaveLength(2);
    now += 5_000;
    expect(await batch.rest()).toMatchObject([{ reason: 'DELIVERED' }]);
  });

  test('asks for the body of a caller that waits to be asked', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      `POST ${PATH} HTTP/1.1\r\nHost: x\r\nX-Caller: backend\r\nExpect: 100-continue\r\nContent-Length: 200000\r\n\r\n`,
    );
    const [asked] = (await once(socket, 'data')) as [Buffer];
    expect(asked.toString()).toMatch(/^HTTP\/1.1 100 Continue/);
    socket.destroy();
  });

  test('needs credentials before anything is read', async () => {
    const outgoing = await exchange(server.port, { path: PATH, body: lineOf(OPEN) });
    expectError(outgoing, 'MISSING_CREDENTIALS');
    expect(server.events.told).toMatchObject([{ eventType: 'MessageBatch', reason: 'MISSING_CREDENTIALS' }]);
    expect(server.delivery.messages).toEqual([]);
  });

  test('is a POST', async () => {
    const answer = await call(server.port, { method: 'GET', path: PATH });
    expectError(answer, 'METHOD_NOT_ALLOWED');
  });
});

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
    const held = hold();
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
    const held = hold();
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
        reason: 'INVALID_REQUEST',
        details: expect.stringMatching(/ 2 lines: 2 DELIVERED\.$/),
      },
    ]);
  });

  test('reads no more once the service drains, and answers what is under way', async () => {
    const held = hold();
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
