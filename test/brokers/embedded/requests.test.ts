import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { IPublishPacket } from 'mqtt-packet';
import { OUTCOME_TOPIC } from '../../../src/brokers/direct/outcome-message.js';
import { forMqttPacket, toUserProperties } from '../../../src/brokers/link/properties.js';
import { fakeAuthorizer } from '../../exhook/fakes.js';
import { nextMessage, startBroker, type RawClient, type Running } from './harness.js';

const ANSWERS = 'answers/lock-17';
const CORRELATION = Buffer.from('one of them');

let running: Running;
let device: RawClient;
let service: RawClient;
let packetIds: number;

const connectService = (clientId = 'service') =>
  running.raw(clientId, { username: 'tightbeam', password: Buffer.from('secret') });

async function start(options: Parameters<typeof startBroker>[0] = {}, version: 4 | 5 = 5): Promise<void> {
  running = await startBroker(options);
  device = await running.raw('lock-17', { protocolVersion: version });
  service = await connectService();
  packetIds = 0;
}

beforeEach(() => start());
afterEach(() => running.stop());

interface Asking {
  readonly id?: string;
  readonly traceId?: string;
  readonly timeoutMs?: number;
  readonly correlation?: Buffer;
  readonly responseTopic?: string;
  readonly from?: RawClient;
}

/** Sends a request, and answers its packet identifier. */
function ask({
  id,
  traceId = '1'.repeat(32),
  timeoutMs = 15_000,
  correlation = CORRELATION,
  responseTopic = ANSWERS,
  from = service,
}: Asking = {}): number {
  packetIds += 1;
  const pairs = [
    ['dm-request', '1'],
    ['dm-timeout-ms', String(timeoutMs)],
    ...(id === undefined ? [] : [['dm-id', id] as const]),
    ['dm-principal', 'backend'],
    ['dm-trace-id', traceId],
  ] as const;
  const properties = {
    ...forMqttPacket({ userProperties: toUserProperties(pairs) }),
    responseTopic,
    correlationData: correlation,
  };
  from.publish('$dm/lock-17/cmd/state', packetIds, { payload: 'state?', properties });
  return packetIds;
}

/** The device takes the next request, and acknowledges it. */
async function take(): Promise<IPublishPacket> {
  const packet = await device.next('publish');
  device.acknowledge(packet);
  return packet;
}

/** The device publishes; `null` gives no Correlation Data. */
function answer(
  payload = 'open',
  correlationData: Buffer | null = CORRELATION,
  packet: Partial<IPublishPacket> = {},
  from = device,
): void {
  const properties = { ...(correlationData && { correlationData }), ...packet.properties };
  from.send({
    cmd: 'publish',
    topic: ANSWERS,
    payload,
    qos: 0,
    dup: false,
    retain: false,
    ...packet,
    properties,
  });
}

/** What comes next on `$dm/outcome`, with the code of the PUBACK behind it. */
async function outcome(of = service): Promise<Record<string, unknown>> {
  const { topic, payload } = await of.next('publish');
  expect(topic).toBe(OUTCOME_TOPIC);
  const { reasonCode = 0 } = await of.next('puback');
  return { ...(JSON.parse(payload.toString()) as object), reasonCode };
}

const response = (payload: string) => ({ topic: ANSWERS, payload: Buffer.from(payload).toString('base64') });

async function expectNothing(of = device): Promise<void> {
  await of.settled();
  expect(of.received.filter(({ cmd }) => cmd === 'publish')).toEqual([]);
}

describe('a request', () => {
  test('is answered by what the device publishes with its Correlation Data, which reaches subscribers too', async () => {
    const subscriber = await running.connect('dashboard');
    await subscriber.subscribeAsync('answers/#');
    const heard = nextMessage(subscriber);
    const packetId = ask();
    const { topic, payload, qos, properties } = await take();
    expect([topic, payload.toString(), qos]).toEqual(['cmd/state', 'state?', 1]);
    expect(properties).toEqual({ responseTopic: ANSWERS, correlationData: CORRELATION });
    answer('open', CORRELATION, {
      properties: { contentType: 'text/plain', ...forMqttPacket({ userProperties: [{ a: '1' }, { a: '2' }] }) },
    });
    expect(await outcome()).toEqual({
      packetId,
      reason: 'ANSWERED',
      written: 'yes',
      reasonCode: 0,
      response: {
        ...response('open'),
        contentType: 'text/plain',
        userProperties: [
          ['a', '1'],
          ['a', '2'],
        ],
      },
    });
    expect(await heard).toMatchObject({ topic: ANSWERS, payload: 'open' });
  });

  test('is answered before its PUBACK, which then is no news', async () => {
    ask();
    const packet = await device.next('publish');
    answer();
    expect(await outcome()).toMatchObject({ reason: 'ANSWERED', response: response('open') });
    device.acknowledge(packet);
    await device.settled();
    await service.settled();
    expect(service.received).toEqual([]);
  });

  test('is answered by the first alone, and neither by other Correlation Data nor on other topics', async () => {
    ask();
    await take();
    answer('other', Buffer.from('another'));
    answer('elsewhere', CORRELATION, { topic: 'answers/other' });
    answer('first');
    answer('second');
    expect(await outcome()).toMatchObject({ response: response('first') });
    await device.settled();
    await service.settled();
    expect(service.received).toEqual([]);
  });

  test('is not answered by another client, whatever it publishes', async () => {
    const other = await running.raw('lock-18');
    ask();
    await take();
    answer('forged', CORRELATION, {}, other);
    answer('forged', null, {}, other);
    await other.settled();
    answer('true');
    expect(await outcome()).toMatchObject({ response: response('true') });
  });

  test('is not answered by what the device may not publish', async () => {
    await running.stop();
    const authorizer = fakeAuthorizer(({ resource }) => resource === `topic/${ANSWERS}`);
    await start({ provider: { authorizer } });
    ask({ timeoutMs: 1_000 });
    await take();
    answer('refused', CORRELATION, { qos: 1, messageId: 7 });
    expect((await device.next('puback')).reasonCode).toBe(0x87);
    expect(await outcome()).toMatchObject({ reason: 'ACKNOWLEDGED_NOT_ANSWERED', written: 'yes', reasonCode: 0x80 });
  });

  test('is not answered by the will of the device', async () => {
    device = await running.raw('lock-17', {
      will: { topic: ANSWERS, payload: Buffer.from('gone'), qos: 0, retain: false },
    });
    const subscriber = await running.connect('dashboard');
    await subscriber.subscribeAsync('answers/#');
    const heard = nextMessage(subscriber);
    ask({ timeoutMs: 1_000 });
    await take();
    await device.settled();
    device.destroy();
    expect(await heard).toMatchObject({ payload: 'gone' });
    expect(await outcome()).toMatchObject({ reason: 'ACKNOWLEDGED_NOT_ANSWERED' });
  });

  test('that nobody acknowledges is PUBACK_TIMEOUT', async () => {
    ask({ timeoutMs: 300 });
    await device.next('publish');
    expect(await outcome()).toMatchObject({ reason: 'PUBACK_TIMEOUT', written: 'yes', reasonCode: 0x80 });
  });

  test('that the device refuses is RECEIVER_REJECTED, whatever it publishes then', async () => {
    ask();
    device.acknowledge(await device.next('publish'), 0x97);
    answer();
    expect(await outcome()).toMatchObject({ reason: 'RECEIVER_REJECTED', code: 0x97 });
  });

  test('outlives the connection of the device once that has acknowledged it', async () => {
    ask();
    await take();
    await device.settled();
    device.destroy();
    await device.closed;
    device = await running.raw('lock-17');
    answer('back');
    expect(await outcome()).toMatchObject({ reason: 'ANSWERED', response: response('back') });
  });

  test('whose answer is over the limit is RESPONSE_TOO_LARGE', async () => {
    ask();
    await take();
    answer('x'.repeat(131_073));
    expect(await outcome()).toEqual({ packetId: 1, reason: 'RESPONSE_TOO_LARGE', written: 'yes', reasonCode: 0x80 });
  });

  test('of a client that is not the service is a direct message: its PUBACK is the answer', async () => {
    const client = await running.raw('backend');
    ask({ from: client });
    await take();
    expect((await client.next('puback')).reasonCode ?? 0).toBe(0);
    answer();
    await device.settled();
    await expectNothing(client);
  });

  test('of a client that is not the service has no longer timeout than any message of its', async () => {
    const client = await running.raw('backend');
    ask({ from: client, timeoutMs: 60_000 });
    expect((await client.next('puback')).reasonCode).toBe(0x90);
    await expectNothing();
  });

  test.each([
    ['a reserved response topic', { responseTopic: '$SYS/x' }, 'RESERVED_TOPIC'],
    ['a wildcard in the response topic', { responseTopic: 'a/+' }, 'INVALID_PARAMETER'],
    ['a timeout over 60 s', { timeoutMs: 60_001 }, 'INVALID_PARAMETER'],
  ])('with %s is refused', async (_what, asking, reason) => {
    ask(asking);
    expect(await outcome()).toMatchObject({ reason, reasonCode: 0x90 });
    await expectNothing();
  });
});

describe('several requests to one device and topic', () => {
  test('are told apart by their Correlation Data', async () => {
    const [one, two] = [Buffer.from('1'), Buffer.from('2')];
    const first = ask({ correlation: one });
    const second = ask({ correlation: two });
    await take();
    await take();
    answer('second', two);
    answer('first', one);
    expect(await outcome()).toMatchObject({ packetId: second, response: response('second') });
    expect(await outcome()).toMatchObject({ packetId: first, response: response('first') });
  });

  test('are not answered without: nobody knows which is meant, and from then on one waits at a time', async () => {
    const first = ask({ correlation: Buffer.from('1') });
    ask({ correlation: Buffer.from('2'), timeoutMs: 2_000 });
    await take();
    await take();
    answer('which?', null, { qos: 1, messageId: 7 });
    await device.next('puback');
    const third = ask({ correlation: Buffer.from('3') });
    expect(await outcome()).toMatchObject({ packetId: third, reason: 'RECEIVER_THROTTLED', written: 'no' });
    expect(await outcome()).toMatchObject({ reason: 'ACKNOWLEDGED_NOT_ANSWERED' });
    answer('it', null);
    expect(await outcome()).toMatchObject({ packetId: first, response: response('it') });
  });

  test('are refused but for the first where the device speaks MQTT 3.1.1, which has no Correlation Data', async () => {
    await running.stop();
    await start({}, 4);
    const first = ask();
    const second = ask({ correlation: Buffer.from('2') });
    expect(await outcome()).toMatchObject({ packetId: second, reason: 'RECEIVER_THROTTLED', written: 'no' });
    expect((await take()).properties).toBeUndefined();
    device.send({ cmd: 'publish', topic: ANSWERS, payload: 'open', qos: 0, dup: false, retain: false });
    expect(await outcome()).toMatchObject({ packetId: first, response: response('open') });
    ask();
    expect((await take()).payload.toString()).toBe('state?');
  });
});

describe('a repeat of a request', () => {
  test('gets the same answer, and the device nothing', async () => {
    ask({ id: 'a' });
    await take();
    answer();
    const first = await outcome();
    ask({ id: 'a' });
    expect(await outcome()).toEqual({ ...first, packetId: 2, joined: true, traceId: '1'.repeat(32) });
    await expectNothing();
  });

  test('under way joins the first: one PUBLISH, one answer for both', async () => {
    const first = ask({ id: 'a' });
    await take();
    const other = await connectService('service-2');
    const second = ask({ id: 'a', from: other });
    await other.settled();
    answer();
    expect(await outcome()).toMatchObject({ packetId: first, response: response('open') });
    expect(await outcome(other)).toMatchObject({ packetId: second, joined: true, response: response('open') });
    await expectNothing();
  });

  test('waits for the answer of a device that has acknowledged and was silent', async () => {
    ask({ id: 'a', timeoutMs: 300 });
    await take();
    expect(await outcome()).toMatchObject({ reason: 'ACKNOWLEDGED_NOT_ANSWERED', written: 'yes' });
    ask({ id: 'a', timeoutMs: 300 });
    expect(await outcome()).toMatchObject({ reason: 'ACKNOWLEDGED_NOT_ANSWERED', written: 'yes', joined: true });
    ask({ id: 'a' });
    await service.settled();
    answer();
    expect(await outcome()).toMatchObject({ reason: 'ANSWERED', joined: true, response: response('open') });
    await expectNothing();
  });

  test('gets the answer that came when nobody waited, PUBACK and all', async () => {
    ask({ id: 'a', timeoutMs: 300 });
    const packet = await device.next('publish');
    expect(await outcome()).toMatchObject({ reason: 'PUBACK_TIMEOUT' });
    device.acknowledge(packet);
    answer('late');
    await device.settled();
    ask({ id: 'a' });
    expect(await outcome()).toMatchObject({ reason: 'ANSWERED', joined: true, response: response('late') });
    await expectNothing();
  });

  test('gets the answer that came when the first sender was gone', async () => {
    ask({ id: 'a' });
    await take();
    await device.settled();
    service.destroy();
    await service.closed;
    answer('late');
    await device.settled();
    service = await connectService('service-2');
    ask({ id: 'a' });
    expect(await outcome()).toMatchObject({ reason: 'ANSWERED', joined: true, response: response('late') });
    await expectNothing();
  });

  test('is another attempt where the device went away before it acknowledged', async () => {
    ask({ id: 'a' });
    await device.next('publish');
    device.destroy();
    expect(await outcome()).toMatchObject({ reason: 'RECEIVER_DISCONNECTED', written: 'yes' });
    device = await running.raw('lock-17');
    ask({ id: 'a' });
    await take();
    answer();
    expect(await outcome()).toMatchObject({ reason: 'ANSWERED', earlierWritten: true, response: response('open') });
  });

  test('does not keep a later request from being answered without Correlation Data', async () => {
    ask({ id: 'a', timeoutMs: 300 });
    await take();
    expect(await outcome()).toMatchObject({ reason: 'ACKNOWLEDGED_NOT_ANSWERED' });
    const packetId = ask({ id: 'b' });
    await take();
    answer('bare', null);
    expect(await outcome()).toMatchObject({ packetId, response: response('bare') });
  });
});
