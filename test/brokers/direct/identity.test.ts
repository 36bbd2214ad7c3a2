import { describe, expect, jest, test } from '@jest/globals';
import { Backend, Device, dispatching, outcomes, useFakeClock } from './parties.js';

useFakeClock();

describe('an identity', () => {
  const limits = { keepMs: 300_000, identities: 4, perPrincipal: 2 };
  const delivered = (device: Device): void => {
    for (const { messageId } of device.take('publish')) device.acknowledge(messageId);
  };

  test('is remembered for five minutes after the outcome, and no longer', () => {
    const { dispatcher, join } = dispatching();
    const device = join(new Device(dispatcher));
    const backend = new Backend(dispatcher);
    backend.send({ 'dm-id': 'order' });
    jest.advanceTimersByTime(4_000);
    delivered(device);
    jest.advanceTimersByTime(299_999);
    backend.send({ 'dm-id': 'order' });
    expect(device.take('publish')).toEqual([]);
    expect(backend.answers()).toHaveLength(2);
    jest.advanceTimersByTime(1);
    backend.send({ 'dm-id': 'order' });
    delivered(device);
    expect(backend.answers()).toHaveLength(1);
    expect(dispatcher.remembered).toBe(1);
  });

  test.each(['topic', 'payload', 'a property', 'the QoS'])('of another message, by %s, is refused', (what) => {
    const { dispatcher, join, reports } = dispatching();
    const device = join(new Device(dispatcher));
    const backend = new Backend(dispatcher);
    backend.send({ 'dm-id': 'order' });
    delivered(device);
    const other = { topic: { topic: '$dm/lock-17/cmd/close' }, payload: { payload: 'close' } }[what] ?? {};
    const controls = { 'a property': { x: 'y' }, 'the QoS': { 'dm-qos': '0' } }[what] ?? {};
    backend.send({ 'dm-id': 'order', ...controls }, other);
    expect(reports).toEqual(['DELIVERED', 'IDEMPOTENCY_KEY_REUSED']);
    expect(device.take('publish')).toEqual([]);
  });

  test('of one principal over its bound loses its own oldest, and nobody else’s', () => {
    const { dispatcher, join } = dispatching({ memory: limits });
    const device = join(new Device(dispatcher));
    const service = new Backend(dispatcher, { isService: true });
    const send = (principal: string, id: string): boolean => {
      service.send({ 'dm-id': id, 'dm-principal': principal });
      const [sent] = device.take('publish');
      if (sent !== undefined) device.acknowledge(sent.messageId);
      return sent !== undefined;
    };
    expect(['a', 'b', 'c'].map((id) => send('one', id))).toEqual([true, true, true]);
    expect(send('two', 'a')).toBe(true);
    expect(dispatcher.remembered).toBe(3);
    expect([send('one', 'c'), send('one', 'b'), send('two', 'a')]).toEqual([false, false, false]);
    expect(send('one', 'a')).toBe(true);
  });

  test('that has no outcome yet is never dropped: one more is sent, and not remembered', () => {
    const { dispatcher, join } = dispatching({ memory: { ...limits, perPrincipal: 1 } });
    const device = join(new Device(dispatcher));
    const backend = new Backend(dispatcher);
    backend.send({ 'dm-id': 'first' });
    backend.send({ 'dm-id': 'second' });
    expect(device.take('publish')).toHaveLength(2);
    expect(dispatcher.remembered).toBe(1);
    backend.send({ 'dm-id': 'first' });
    expect(device.take('publish')).toEqual([]);
    device.acknowledge(1);
    device.acknowledge(2);
    expect(backend.answers()).toHaveLength(3);
  });

  test('is forgotten when its time is over, as soon as there is another', () => {
    const { dispatcher, join } = dispatching({ memory: limits });
    const device = join(new Device(dispatcher));
    const backend = new Backend(dispatcher);
    backend.send({ 'dm-id': 'first' });
    delivered(device);
    jest.advanceTimersByTime(limits.keepMs);
    backend.send({ 'dm-id': 'second' });
    delivered(device);
    expect(dispatcher.remembered).toBe(1);
  });

  test('that was never written takes no room after its outcome', () => {
    const { dispatcher, join } = dispatching({ memory: { ...limits, perPrincipal: 1 } });
    const backend = new Backend(dispatcher);
    backend.send({ 'dm-id': 'nobody there' });
    expect(dispatcher.remembered).toBe(0);
    const device = join(new Device(dispatcher));
    backend.send({ 'dm-id': 'order' });
    delivered(device);
    expect(dispatcher.remembered).toBe(1);
  });

  test('is its client’s where there is no username, and its user’s where there is one', () => {
    const { dispatcher, join } = dispatching();
    const device = join(new Device(dispatcher));
    const sent = (clientId: string, username: string | undefined): boolean => {
      new Backend(dispatcher, { origin: { clientId, username, sourceIp: '10.0.0.1' } }).send({ 'dm-id': 'order' });
      const [packet] = device.take('publish');
      if (packet !== undefined) device.acknowledge(packet.messageId);
      return packet !== undefined;
    };
    expect([sent('a', ''), sent('b', ''), sent('c', undefined)]).toEqual([true, true, true]);
    expect([sent('d', 'user'), sent('e', 'user'), sent('a', '')]).toEqual([true, false, false]);
  });

  test('goes on where a sender leaves who only waits for its outcome', () => {
    const { dispatcher, join } = dispatching();
    const device = join(new Device(dispatcher));
    const [first, second, third] = [1, 2, 3].map(() => new Backend(dispatcher));
    first?.send({ 'dm-id': 'order' });
    second?.send({ 'dm-id': 'order' });
    if (second !== undefined) dispatcher.forgetSender(second.party);
    third?.send({ 'dm-id': 'order' });
    expect(device.take('publish')).toHaveLength(1);
    device.acknowledge(1);
    expect([first, second, third].map((backend) => backend?.answers().length)).toEqual([1, 0, 1]);
  });

  test('whose bytes are over the bound is not remembered', () => {
    const { dispatcher, join } = dispatching({ memory: { ...limits, bytes: 400 } });
    const device = join(new Device(dispatcher));
    new Backend(dispatcher).send({ 'dm-id': 'order' });
    expect(dispatcher.remembered).toBe(0);
    delivered(device);
  });

  test('whose attempt lapsed unwritten is taken over by a repeat that waits longer', () => {
    const { dispatcher, join, reports } = dispatching();
    const device = join(new Device(dispatcher, { window: 1 }));
    const backend = new Backend(dispatcher);
    backend.send({}, { topic: '$dm/lock-17/other' });
    backend.send({ 'dm-id': 'order', 'dm-timeout-ms': '50' });
    backend.send({ 'dm-id': 'order', 'dm-timeout-ms': '4000' });
    jest.advanceTimersByTime(50);
    expect(reports).toEqual(['RECEIVER_THROTTLED']);
    device.take('publish');
    device.acknowledge(1);
    delivered(device);
    expect(reports).toEqual(['RECEIVER_THROTTLED', 'DELIVERED', 'DELIVERED']);
  });

  test('whose repeat times out first is told what is known of the attempt', () => {
    const { dispatcher, join } = dispatching();
    const device = join(new Device(dispatcher));
    const service = new Backend(dispatcher, { isService: true });
    const trace = '1'.repeat(32);
    service.send({ 'dm-id': 'order', 'dm-trace-id': trace, 'dm-timeout-ms': '4000' });
    const second = service.send({ 'dm-id': 'order', 'dm-timeout-ms': '50' });
    jest.advanceTimersByTime(50);
    expect(outcomes(service)).toEqual([
      { packetId: second, reason: 'PUBACK_TIMEOUT', written: 'yes', joined: true, traceId: trace },
    ]);
    delivered(device);
  });

  test('that was written and is not acknowledged is over when the connection ends', () => {
    const { dispatcher, join, connections } = dispatching();
    const device = join(new Device(dispatcher));
    const service = new Backend(dispatcher, { isService: true });
    service.send({ 'dm-id': 'order', 'dm-timeout-ms': '50' });
    jest.advanceTimersByTime(50);
    service.send({ 'dm-id': 'order' });
    expect(device.take('publish')).toHaveLength(1);
    outcomes(service);
    device.party.receiver.close();
    connections.clear();
    expect(outcomes(service)).toMatchObject([{ reason: 'RECEIVER_DISCONNECTED', written: 'yes', joined: true }]);
    const next = join(new Device(dispatcher));
    service.send({ 'dm-id': 'order' });
    delivered(next);
    expect(outcomes(service)).toMatchObject([{ reason: 'DELIVERED', earlierWritten: true }]);
  });
});
