import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { forMqttPacket } from '../../../src/brokers/link/properties.js';
import { fakeAuthorizer } from '../../exhook/fakes.js';
import { nextMessage } from './harness.js';
import { ANSWERS, CORRELATION, RequestStage, response } from './requesting.js';

const stage = new RequestStage();
beforeEach(() => stage.start());
afterEach(() => stage.running.stop());

describe('a request', () => {
  test('is answered by what the device publishes with its Correlation Data, which reaches subscribers too', async () => {
    const subscriber = await stage.running.connect('dashboard');
    await subscriber.subscribeAsync('answers/#');
    const heard = nextMessage(subscriber);
    const packetId = stage.ask();
    const { topic, payload, qos, properties } = await stage.take();
    expect([topic, payload.toString(), qos]).toEqual(['cmd/state', 'state?', 1]);
    expect(properties).toEqual({ responseTopic: ANSWERS, correlationData: CORRELATION });
    stage.answer('open', CORRELATION, {
      properties: { contentType: 'text/plain', ...forMqttPacket({ userProperties: [{ a: '1' }, { a: '2' }] }) },
    });
    expect(await stage.outcome()).toEqual({
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
    stage.ask();
    const packet = await stage.device.next('publish');
    stage.answer();
    expect(await stage.outcome()).toMatchObject({ reason: 'ANSWERED', response: response('open') });
    stage.device.acknowledge(packet);
    await stage.device.settled();
    await stage.service.settled();
    expect(stage.service.received).toEqual([]);
  });

  test('is answered by the first alone, and neither by other Correlation Data nor on other topics', async () => {
    stage.ask();
    await stage.take();
    stage.answer('other', Buffer.from('another'));
    stage.answer('elsewhere', CORRELATION, { topic: 'answers/other' });
    stage.answer('first');
    stage.answer('second');
    expect(await stage.outcome()).toMatchObject({ response: response('first') });
    await stage.device.settled();
    await stage.service.settled();
    expect(stage.service.received).toEqual([]);
  });

  test('is not answered by another client, whatever it publishes', async () => {
    const other = await stage.running.raw('lock-18');
    stage.ask();
    await stage.take();
    stage.answer('forged', CORRELATION, {}, other);
    stage.answer('forged', null, {}, other);
    await other.settled();
    stage.answer('true');
    expect(await stage.outcome()).toMatchObject({ response: response('true') });
  });

  test('is not answered by what the device may not publish', async () => {
    await stage.running.stop();
    const authorizer = fakeAuthorizer(({ resource }) => resource === `topic/${ANSWERS}`);
    await stage.start({ provider: { authorizer } });
    stage.ask({ timeoutMs: 1_000 });
    await stage.take();
    stage.answer('refused', CORRELATION, { qos: 1, messageId: 7 });
    expect((await stage.device.next('puback')).reasonCode).toBe(0x87);
    expect(await stage.outcome()).toMatchObject({
      reason: 'ACKNOWLEDGED_NOT_ANSWERED',
      written: 'yes',
      reasonCode: 0x80,
    });
  });

  test('is not answered by the will of the device', async () => {
    stage.device = await stage.running.raw('lock-17', {
      will: { topic: ANSWERS, payload: Buffer.from('gone'), qos: 0, retain: false },
    });
    const subscriber = await stage.running.connect('dashboard');
    await subscriber.subscribeAsync('answers/#');
    const heard = nextMessage(subscriber);
    stage.ask({ timeoutMs: 1_000 });
    await stage.take();
    await stage.device.settled();
    stage.device.destroy();
    expect(await heard).toMatchObject({ payload: 'gone' });
    expect(await stage.outcome()).toMatchObject({ reason: 'ACKNOWLEDGED_NOT_ANSWERED' });
  });

  test('that nobody acknowledges is PUBACK_TIMEOUT', async () => {
    stage.ask({ timeoutMs: 300 });
    await stage.device.next('publish');
    expect(await stage.outcome()).toMatchObject({ reason: 'PUBACK_TIMEOUT', written: 'yes', reasonCode: 0x80 });
  });

  test('that the device refuses is RECEIVER_REJECTED, whatever it publishes then', async () => {
    stage.ask();
    stage.device.acknowledge(await stage.device.next('publish'), 0x97);
    stage.answer();
    expect(await stage.outcome()).toMatchObject({ reason: 'RECEIVER_REJECTED', code: 0x97 });
  });

  test('outlives the connection of the device once that has acknowledged it', async () => {
    stage.ask();
    await stage.take();
    await stage.device.settled();
    stage.device.destroy();
    await stage.device.closed;
    stage.device = await stage.running.raw('lock-17');
    stage.answer('back');
    expect(await stage.outcome()).toMatchObject({ reason: 'ANSWERED', response: response('back') });
  });

  test('whose answer is over the limit is RESPONSE_TOO_LARGE', async () => {
    stage.ask();
    await stage.take();
    stage.answer('x'.repeat(131_073));
    expect(await stage.outcome()).toEqual({
      packetId: 1,
      reason: 'RESPONSE_TOO_LARGE',
      written: 'yes',
      reasonCode: 0x80,
    });
  });

  test('of a client that is not the service is a direct message: its PUBACK is the answer', async () => {
    const client = await stage.running.raw('backend');
    stage.ask({ from: client });
    await stage.take();
    expect((await client.next('puback')).reasonCode ?? 0).toBe(0);
    stage.answer();
    await stage.device.settled();
    await stage.expectNothing(client);
  });

  test('of a client that is not the service has no longer timeout than any message of its', async () => {
    const client = await stage.running.raw('backend');
    stage.ask({ from: client, timeoutMs: 60_000 });
    expect((await client.next('puback')).reasonCode).toBe(0x90);
    await stage.expectNothing();
  });

  test.each([
    ['a reserved response topic', { responseTopic: '$SYS/x' }, 'RESERVED_TOPIC'],
    ['a wildcard in the response topic', { responseTopic: 'a/+' }, 'INVALID_PARAMETER'],
    ['a timeout over 60 s', { timeoutMs: 60_001 }, 'INVALID_PARAMETER'],
  ])('with %s is refused', async (_what, asking, reason) => {
    stage.ask(asking);
    expect(await stage.outcome()).toMatchObject({ reason, reasonCode: 0x90 });
    await stage.expectNothing();
  });
});

describe('several requests to one device and topic', () => {
  test('are told apart by their Correlation Data', async () => {
    const [one, two] = [Buffer.from('1'), Buffer.from('2')];
    const first = stage.ask({ correlation: one });
    const second = stage.ask({ correlation: two });
    await stage.take();
    await stage.take();
    stage.answer('second', two);
    stage.answer('first', one);
    expect(await stage.outcome()).toMatchObject({ packetId: second, response: response('second') });
    expect(await stage.outcome()).toMatchObject({ packetId: first, response: response('first') });
  });

  test('are not answered without: nobody knows which is meant, and from then on one waits at a time', async () => {
    const first = stage.ask({ correlation: Buffer.from('1') });
    stage.ask({ correlation: Buffer.from('2'), timeoutMs: 2_000 });
    await stage.take();
    await stage.take();
    stage.answer('which?', null, { qos: 1, messageId: 7 });
    await stage.device.next('puback');
    const third = stage.ask({ correlation: Buffer.from('3') });
    expect(await stage.outcome()).toMatchObject({ packetId: third, reason: 'RECEIVER_THROTTLED', written: 'no' });
    expect(await stage.outcome()).toMatchObject({ reason: 'ACKNOWLEDGED_NOT_ANSWERED' });
    stage.answer('it', null);
    expect(await stage.outcome()).toMatchObject({ packetId: first, response: response('it') });
  });

  test('are refused but for the first where the device speaks MQTT 3.1.1, which has no Correlation Data', async () => {
    await stage.running.stop();
    await stage.start({}, 4);
    const first = stage.ask();
    const second = stage.ask({ correlation: Buffer.from('2') });
    expect(await stage.outcome()).toMatchObject({ packetId: second, reason: 'RECEIVER_THROTTLED', written: 'no' });
    expect((await stage.take()).properties).toBeUndefined();
    stage.device.send({ cmd: 'publish', topic: ANSWERS, payload: 'open', qos: 0, dup: false, retain: false });
    expect(await stage.outcome()).toMatchObject({ packetId: first, response: response('open') });
    stage.ask();
    expect((await stage.take()).payload.toString()).toBe('state?');
  });
});
