import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { OUTCOME_TOPIC } from '../../../src/brokers/direct/outcome-message.js';
import { DirectLink } from '../../../src/brokers/link/direct-link.js';
import { forMqttPacket, toUserProperties } from '../../../src/brokers/link/properties.js';
import { startBroker, type RawClient, type Running } from './harness.js';

const TRACE_1 = '1'.repeat(32);
const TRACE_2 = '2'.repeat(32);

let running: Running;
let device: RawClient;
let service: RawClient;
let packetIds: number;

beforeEach(async () => {
  running = await startBroker();
  device = await running.raw('lock-17');
  service = await running.raw('service', { username: 'tightbeam', password: Buffer.from('secret') });
  packetIds = 0;
});
afterEach(() => running.stop());

interface Sending {
  readonly id?: string;
  readonly principal?: string;
  readonly traceId?: string;
  readonly timeoutMs?: number;
  readonly payload?: string;
  readonly from?: RawClient;
}

/** Sends a direct message, and answers its packet identifier. */
function send({
  id = 'order-1',
  principal = 'backend',
  traceId = TRACE_1,
  timeoutMs = 15_000,
  payload = 'open',
  from = service,
}: Sending = {}): number {
  packetIds += 1;
  const pairs = [
    ['dm-id', id],
    ['dm-principal', principal],
    ['dm-trace-id', traceId],
    ['dm-timeout-ms', String(timeoutMs)],
  ] as const;
  const properties = forMqttPacket({ userProperties: toUserProperties(pairs) });
  from.publish('$dm/lock-17/cmd/open', packetIds, { payload, properties });
  return packetIds;
}

/** What comes next on `$dm/outcome`. */
async function outcome(): Promise<unknown> {
  const { topic, payload, qos } = await service.next('publish');
  expect([topic, qos]).toEqual([OUTCOME_TOPIC, 0]);
  return JSON.parse(payload.toString()) as unknown;
}

async function expectNothing(): Promise<void> {
  await device.settled();
  expect(device.received.filter(({ cmd }) => cmd === 'publish')).toEqual([]);
}

describe('a repeat of an identity', () => {
  test('joins the first while that is under way: one PUBLISH, and the answer for both', async () => {
    const first = send();
    const packet = await device.next('publish');
    const second = send({ traceId: TRACE_2 });
    await service.settled();
    device.acknowledge(packet);
    expect(await outcome()).toMatchObject({ packetId: second, reason: 'DELIVERED', joined: true, traceId: TRACE_1 });
    const answers = [await service.next('puback'), await service.next('puback')];
    expect(answers.map(({ messageId, reasonCode }) => [messageId, reasonCode ?? 0])).toEqual(
      expect.arrayContaining([
        [first, 0],
        [second, 0],
      ]),
    );
    await expectNothing();
  });

  test('gets the answer of the first at once, over another connection and after a reconnect of the device', async () => {
    send();
    device.acknowledge(await device.next('publish'));
    await service.next('puback');
    device.destroy();
    await device.closed;
    device = await running.raw('lock-17');
    const other = await running.raw('service-2', { username: 'tightbeam', password: Buffer.from('secret') });
    send({ from: other });
    expect((await other.next('puback')).reasonCode ?? 0).toBe(0);
    await expectNothing();
  });

  test('waits for the PUBACK of what was written when the first timed out', async () => {
    send({ timeoutMs: 2_000 });
    const packet = await device.next('publish');
    expect((await service.next('puback')).reasonCode).toBe(0x80);
    expect(await outcome()).toMatchObject({ reason: 'PUBACK_TIMEOUT', written: 'yes' });
    const second = send({ traceId: TRACE_2 });
    await service.settled();
    await expectNothing();
    device.acknowledge(packet);
    expect(await outcome()).toMatchObject({ packetId: second, reason: 'DELIVERED', joined: true, traceId: TRACE_1 });
    expect((await service.next('puback')).reasonCode ?? 0).toBe(0);
  });

  test('is answered by a PUBACK that came when nobody waited', async () => {
    send({ timeoutMs: 2_000 });
    const packet = await device.next('publish');
    await service.next('puback');
    device.acknowledge(packet);
    await device.settled();
    send();
    expect((await service.next('puback')).reasonCode ?? 0).toBe(0);
    await expectNothing();
  });

  test('outlives the connection of its sender', async () => {
    send();
    const packet = await device.next('publish');
    service.destroy();
    await service.closed;
    service = await running.raw('service', { username: 'tightbeam', password: Buffer.from('secret') });
    send({ traceId: TRACE_2 });
    await service.settled();
    device.acknowledge(packet);
    expect(await outcome()).toMatchObject({ reason: 'DELIVERED', joined: true, traceId: TRACE_1 });
    await expectNothing();
  });

  test('makes another attempt where the device went away with the first, and says that one was written', async () => {
    send();
    await device.next('publish');
    device.destroy();
    expect(await outcome()).toMatchObject({ reason: 'RECEIVER_DISCONNECTED', written: 'yes' });
    expect((await service.next('puback')).reasonCode).toBe(0x80);
    device = await running.raw('lock-17');
    send();
    device.acknowledge(await device.next('publish'));
    expect(await outcome()).toMatchObject({ reason: 'DELIVERED', earlierWritten: true });
  });

  test('is another message where nothing was written', async () => {
    device.destroy();
    await device.closed;
    await running.events.next('Disconnect');
    send();
    expect(await outcome()).toMatchObject({ reason: 'CLIENT_NOT_CONNECTED', written: 'no' });
    device = await running.raw('lock-17');
    send({ payload: 'other' });
    device.acknowledge(await device.next('publish'));
    expect((await service.next('puback')).reasonCode).toBe(0x90);
    expect((await service.next('puback')).reasonCode ?? 0).toBe(0);
  });

  test('with another payload is refused with 0x91, and nothing is sent', async () => {
    send();
    device.acknowledge(await device.next('publish'));
    await service.next('puback');
    send({ payload: 'close' });
    expect(await outcome()).toMatchObject({ reason: 'IDEMPOTENCY_KEY_REUSED', written: 'no' });
    expect((await service.next('puback')).reasonCode).toBe(0x91);
    await expectNothing();
  });

  test('of another principal is another delivery; what a client says of its principal does not count', async () => {
    send();
    device.acknowledge(await device.next('publish'));
    send({ principal: 'dashboard' });
    device.acknowledge(await device.next('publish'));
    const stranger = await running.raw('stranger');
    send({ from: stranger, payload: 'open' });
    const { properties } = await device.next('publish');
    expect(JSON.stringify(properties ?? {})).not.toContain('dm-');
  });
});

describe('the device', () => {
  test('that says no in its PUBACK is heard: code and Reason String reach the service', async () => {
    send();
    const { messageId = 0 } = await device.next('publish');
    device.send({ cmd: 'puback', messageId, reasonCode: 0x97, properties: { reasonString: 'full' } });
    expect(await outcome()).toEqual({
      packetId: 1,
      reason: 'RECEIVER_REJECTED',
      written: 'yes',
      code: 0x97,
      reasonString: 'full',
    });
    expect((await service.next('puback')).reasonCode).toBe(0x80);
  });

  test('that answers QoS 1 with PUBREC breaks the protocol, and confirms nothing', async () => {
    send();
    const { messageId = 0 } = await device.next('publish');
    device.send({ cmd: 'pubrec', messageId });
    expect((await device.next('disconnect')).reasonCode).toBe(0x82);
    expect(await outcome()).toMatchObject({ reason: 'RECEIVER_DISCONNECTED', written: 'yes' });
  });
});

test.each([
  ['empty', ''],
  ['longer than 128 bytes', 'ü'.repeat(65)],
])('an identity that is %s is refused', async (_what, id) => {
  send({ id });
  expect(await outcome()).toMatchObject({ reason: 'INVALID_PARAMETER' });
  expect(((await service.next('puback')) as { reasonCode?: number }).reasonCode).toBe(0x90);
  await expectNothing();
});

test.each([
  ['its span', '0'.repeat(15) + '7'],
  ['no span', undefined],
])('a repeat over a link is told of the trace of the first attempt, and %s', async (_, spanId) => {
  const link = new DirectLink({
    urls: [`mqtt://127.0.0.1:${running.port}`],
    username: 'tightbeam',
    password: 'secret',
    connections: 1,
    maxConnections: 1,
    onConnection: () => undefined,
  });
  await link.whenReady();
  const message = {
    targetClientId: 'lock-17',
    topic: 'cmd/open',
    payload: Buffer.from('open'),
    confirmation: true,
    timeoutMs: 15_000,
    properties: {},
    identity: { id: 'order-9', principal: 'backend', traceId: TRACE_1, spanId },
  };
  const first = link.deliver(message);
  device.acknowledge(await device.next('publish'));
  expect(await first).toEqual({ reason: 'DELIVERED', written: 'yes' });
  const told = spanId === undefined ? {} : { firstSpanId: spanId };
  expect(await link.deliver({ ...message, identity: { ...message.identity, traceId: TRACE_2 } })).toEqual({
    reason: 'DELIVERED',
    written: 'yes',
    joined: true,
    firstTraceId: TRACE_1,
    ...told,
  });
  await link.close();
});
