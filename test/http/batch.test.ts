import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { CallerThrottle } from '../../src/throttling/caller-throttle.js';
import type { Reason } from '../../src/reasons.js';
import { collectGarbage } from '../garbage.js';
import { CALLER, lineOf, MIB, OPEN, openBatch, PATH, startBatchServer, type OpenBatch } from './batch-client.js';
import { call, exchange, expectError, type ServerOptions, type TestServer } from './support.js';

let server: TestServer;
async function start(options: ServerOptions = {}): Promise<void> {
  server = await startBatchServer(options);
}
beforeEach(() => start());
afterEach(() => server.dataPlane.stop());

/** Bytes of buffers that somebody still holds. */
function kept(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

const open = (): Promise<OpenBatch> => openBatch(server.port, CALLER);

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
    const before = kept();
    let most = 0;
    for (let index = 0; index < 64; index += 1) {
      if (!batch.outgoing.write(Buffer.alloc(MIB, 'x'))) await once(batch.outgoing, 'drain');
      most = Math.max(most, kept() - before);
    }
    batch.outgoing.end(`\n${JSON.stringify(OPEN)}`);
    const outcomes = await batch.rest();
    expect(outcomes.map(({ line, status }) => [line, status]).sort()).toEqual([
      [1, 200],
      [2, 413],
      [3, 200],
    ]);
    expect(most).toBeLessThan(16 * MIB);
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
