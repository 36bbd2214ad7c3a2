import { describe, expect, jest, test } from '@jest/globals';
import { Backend, Device, dispatching, outcomes, useFakeClock } from './parties.js';

useFakeClock();

describe('a message to a device', () => {
  test('is answered when the device acknowledges, and not before', () => {
    const { dispatcher, join, reports } = dispatching();
    const device = join(new Device(dispatcher));
    const backend = new Backend(dispatcher);
    const id = backend.send();
    const [packet] = device.take('publish');
    expect(packet).toMatchObject({ topic: 'cmd/open', qos: 1, retain: false });
    expect(backend.answers()).toEqual([]);
    expect(dispatcher.pending.size).toBe(1);
    expect(device.acknowledge(packet?.messageId)).toBe(true);
    expect(backend.answers()).toEqual([[id, 0]]);
    expect(reports).toEqual(['DELIVERED']);
    expect(dispatcher.pending.size).toBe(0);
    expect(device.inUse.size).toBe(0);
    expect(backend.party.sent.size).toBe(0);
    expect(device.acknowledge(packet?.messageId)).toBe(false);
  });

  test('is waited for until its timeout; the packet identifier stays in use until the late PUBACK', () => {
    const { dispatcher, join, reports } = dispatching();
    const device = join(new Device(dispatcher));
    const backend = new Backend(dispatcher);
    const id = backend.send({ 'dm-timeout-ms': '400' });
    jest.advanceTimersByTime(399);
    expect(backend.answers()).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(backend.answers()).toEqual([[id, 0x80]]);
    expect(reports).toEqual(['PUBACK_TIMEOUT']);
    expect(device.inUse).toEqual(new Set([1]));
    device.acknowledge(1);
    expect(device.inUse.size).toBe(0);
    expect(backend.answers()).toEqual([]);
  });

  test('that waited for the window has its whole time for the device once it is written', () => {
    const { dispatcher, join } = dispatching();
    const device = join(new Device(dispatcher, { window: 1 }));
    const backend = new Backend(dispatcher);
    backend.send();
    const second = backend.send({ 'dm-timeout-ms': '1000' });
    jest.advanceTimersByTime(900);
    device.acknowledge(1);
    backend.answers();
    jest.advanceTimersByTime(999);
    expect(backend.answers()).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(backend.answers()).toEqual([[second, 0x80]]);
  });

  test('takes no longer than its timeout and two seconds as a whole', () => {
    const { dispatcher, join } = dispatching();
    const device = join(new Device(dispatcher, { window: 1 }));
    const backend = new Backend(dispatcher);
    backend.send({ 'dm-timeout-ms': '15000' });
    const second = backend.send({ 'dm-timeout-ms': '4000' });
    jest.advanceTimersByTime(3_999);
    device.acknowledge(1);
    backend.answers();
    jest.advanceTimersByTime(2_000);
    expect(backend.answers()).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(backend.answers()).toEqual([[second, 0x80]]);
  });

  test('whose window stays full is RECEIVER_THROTTLED, and was not written', () => {
    const { dispatcher, join } = dispatching();
    const device = join(new Device(dispatcher, { window: 1 }));
    const backend = new Backend(dispatcher, { isService: true });
    backend.send();
    const second = backend.send({ 'dm-timeout-ms': '20' });
    jest.advanceTimersByTime(20);
    expect(outcomes(backend)).toEqual([{ packetId: second, reason: 'RECEIVER_THROTTLED', written: 'no' }]);
    expect(backend.answers()).toEqual([[second, 0x97]]);
    device.acknowledge(1);
    expect(device.take('publish')).toHaveLength(1);
  });

  test('that is not known to be allowed in time is PUBACK_TIMEOUT: nothing was held up', async () => {
    const { dispatcher, join } = dispatching({ authorize: (_, type) => type === 'PUBLISH' || new Promise(() => {}) });
    join(new Device(dispatcher));
    const backend = new Backend(dispatcher, { isService: true });
    backend.send({ 'dm-timeout-ms': '20' });
    await Promise.resolve();
    jest.advanceTimersByTime(20);
    expect(outcomes(backend)).toMatchObject([{ reason: 'PUBACK_TIMEOUT', written: 'no' }]);
  });

  test('keeps to the Receive Maximum where it is less than the window', () => {
    const { dispatcher, join } = dispatching();
    const device = join(new Device(dispatcher, { window: 32 }, 2));
    const backend = new Backend(dispatcher);
    for (let sent = 0; sent < 4; sent += 1) backend.send();
    expect(device.take('publish')).toHaveLength(2);
    device.acknowledge(1);
    expect(device.take('publish')).toHaveLength(1);
    device.party.receiver.close();
  });

  test('that finds the queue full is RECEIVER_THROTTLED at once', () => {
    const { dispatcher, join, reports } = dispatching();
    const device = join(new Device(dispatcher, { window: 1, queue: 1 }));
    const backend = new Backend(dispatcher);
    for (let sent = 0; sent < 3; sent += 1) backend.send();
    expect(reports).toEqual(['RECEIVER_THROTTLED']);
    device.party.receiver.close();
    expect(reports.slice(1)).toEqual(['RECEIVER_DISCONNECTED', 'RECEIVER_DISCONNECTED']);
  });

  test('larger than the device takes is PAYLOAD_TOO_LARGE, and frees its packet identifier', () => {
    const { dispatcher, join, reports } = dispatching();
    const device = join(new Device(dispatcher));
    device.maximumPacketSize = 10;
    new Backend(dispatcher).send();
    expect(reports).toEqual(['PAYLOAD_TOO_LARGE']);
    expect(device.take('publish')).toEqual([]);
    expect(device.inUse.size).toBe(0);
  });

  test('waits while the socket is full, and goes when it has drained', () => {
    const { dispatcher, join } = dispatching();
    const device = join(new Device(dispatcher, { sendBufferBytes: 10 }));
    device.unsentBytes = 11;
    new Backend(dispatcher).send({ 'dm-qos': '0' });
    expect(device.take('publish')).toEqual([]);
    device.unsentBytes = 10;
    device.party.receiver.pump();
    expect(device.take('publish')).toMatchObject([{ qos: 0 }]);
  });

  test('without properties arrives without any', () => {
    const { dispatcher, join } = dispatching();
    const device = join(new Device(dispatcher));
    dispatcher.publish(new Backend(dispatcher).party, {
      cmd: 'publish',
      topic: '$dm/lock-17/t',
      payload: 'p',
      qos: 0,
      dup: false,
      retain: false,
    });
    expect(device.take('publish')).toMatchObject([{ topic: 't', qos: 0 }]);
  });

  test('that nobody may answer any more has one outcome, whatever is found out later', async () => {
    let decide: (allowed: boolean) => void = () => undefined;
    const { dispatcher, join, reports } = dispatching({
      authorize: (_, type) => type === 'PUBLISH' || new Promise<boolean>((resolve) => (decide = resolve)),
    });
    join(new Device(dispatcher));
    new Backend(dispatcher).send({ 'dm-timeout-ms': '20' });
    jest.advanceTimersByTime(20);
    decide(false);
    await jest.advanceTimersByTimeAsync(0);
    expect(reports).toEqual(['PUBACK_TIMEOUT']);
  });

  test('that the device refuses is RECEIVER_REJECTED from 0x80 on', () => {
    const { dispatcher, join, reports } = dispatching();
    const device = join(new Device(dispatcher));
    const backend = new Backend(dispatcher);
    backend.send();
    backend.send();
    device.acknowledge(1, 0x7f);
    device.acknowledge(2, 0x80);
    expect(reports).toEqual(['DELIVERED', 'RECEIVER_REJECTED']);
  });
});

describe('a sender', () => {
  test('that may not send learns nothing of the receiver', () => {
    const { dispatcher, reports } = dispatching({ authorize: () => false });
    const backend = new Backend(dispatcher);
    const id = backend.send();
    expect(backend.answers()).toEqual([[id, 0x87]]);
    // Whoever refused has told.
    expect(reports).toEqual([]);
  });

  test('is answered who is not there, and who is away', () => {
    const { dispatcher, reports } = dispatching({ hasSession: () => true });
    new Backend(dispatcher).send();
    expect(reports).toEqual(['CLIENT_OFFLINE_WITH_SESSION']);
    const nobody = dispatching();
    new Backend(nobody.dispatcher).send();
    expect(nobody.reports).toEqual(['CLIENT_NOT_CONNECTED']);
  });

  test('whose message breaks a rule is told the reason, and the log which rule', () => {
    const { dispatcher, reports, details } = dispatching();
    const backend = new Backend(dispatcher);
    backend.send({}, { retain: true });
    backend.send({ 'dm-timeout-ms': 'soon' });
    backend.send({}, { payload: Buffer.alloc(131_073) });
    expect(reports).toEqual(['INVALID_PARAMETER', 'INVALID_PARAMETER', 'PAYLOAD_TOO_LARGE']);
    expect(details).toEqual([
      'A direct message cannot be retained.',
      expect.stringContaining('whole number of milliseconds'),
      expect.stringContaining('131072'),
    ]);
  });

  test('of MQTT 3.1.1 loses its connection where it would have to be told no', () => {
    const { dispatcher } = dispatching();
    const backend = new Backend(dispatcher, { isMqtt5: false });
    backend.send();
    expect([backend.ended, backend.packets]).toEqual([[0x90], []]);
    backend.send({}, { qos: 0 });
    expect(backend.ended).toHaveLength(1);
  });

  test('that sends an identifier again while it is in flight has sent nothing', () => {
    const { dispatcher, join } = dispatching();
    const device = join(new Device(dispatcher));
    const backend = new Backend(dispatcher);
    const messageId = backend.send();
    backend.send({}, { messageId });
    expect(device.take('publish')).toHaveLength(1);
    device.acknowledge(1);
    expect(backend.answers()).toEqual([[messageId, 0]]);
  });

  test('whose messages are authorized out of order has them delivered in order', async () => {
    const decisions: ((allowed: boolean) => void)[] = [];
    const { dispatcher, join } = dispatching({
      authorize: (_, type) => type !== 'PUBLISH' || new Promise<boolean>((resolve) => decisions.push(resolve)),
    });
    const device = join(new Device(dispatcher));
    const backend = new Backend(dispatcher);
    backend.send({}, { payload: 'one' });
    backend.send({}, { payload: 'two' });
    decisions[1]?.(true);
    await jest.advanceTimersByTimeAsync(0);
    expect(device.take('publish')).toEqual([]);
    decisions[0]?.(true);
    await jest.advanceTimersByTimeAsync(0);
    expect(device.take('publish').map(({ payload }) => payload.toString())).toEqual(['one', 'two']);
    device.party.receiver.close();
  });

  test('is never answered at QoS 0, and nothing is kept of that', () => {
    const { dispatcher } = dispatching();
    const backend = new Backend(dispatcher);
    const kept = jest.spyOn(backend.party.sent, 'set');
    backend.send({}, { qos: 0 });
    expect(kept).not.toHaveBeenCalled();
    expect(backend.packets).toEqual([]);
  });

  test('that is gone before it is known whether it may send has sent nothing', async () => {
    let decide: (allowed: boolean) => void = () => undefined;
    const { dispatcher, join, reports } = dispatching({
      authorize: (_, type) => type !== 'PUBLISH' || new Promise<boolean>((resolve) => (decide = resolve)),
    });
    const device = join(new Device(dispatcher));
    const backend = new Backend(dispatcher);
    backend.send();
    dispatcher.forgetSender(backend.party);
    decide(true);
    await jest.advanceTimersByTimeAsync(0);
    expect([device.take('publish'), reports]).toEqual([[], []]);
  });

  test('that leaves takes its messages with it, and their timers', () => {
    const { dispatcher, join } = dispatching();
    const device = join(new Device(dispatcher, { window: 1 }));
    const backend = new Backend(dispatcher);
    backend.send();
    backend.send();
    dispatcher.forgetSender(backend.party);
    expect(dispatcher.pending.size).toBe(0);
    device.acknowledge(1);
    expect(backend.answers()).toEqual([]);
    expect(device.take('publish')).toHaveLength(1);
  });

  test('is held to the rate of a receiver, the service is not: it counts for itself', () => {
    let taken = 0;
    const perReceiver = { take: () => (taken++, 1_000) };
    const { dispatcher, join, reports } = dispatching({ perReceiver: perReceiver as never });
    const device = join(new Device(dispatcher));
    new Backend(dispatcher).send();
    expect([reports, taken]).toEqual([['RECEIVER_THROTTLED'], 1]);
    new Backend(dispatcher, { isService: true }).send();
    expect([device.take('publish').length, taken]).toEqual([1, 1]);
    device.acknowledge(1);
  });
});
