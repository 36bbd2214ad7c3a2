import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { diagnose } from '../../../src/brokers/emqx/install/doctor.js';
import { FakeBroker } from './fake-broker.js';
import { FakeEmqx } from './fake-emqx.js';

describe("the doctor's probe", () => {
  let emqx: FakeEmqx;
  let broker: FakeBroker;

  beforeEach(async () => {
    emqx = await FakeEmqx.start();
    broker = await FakeBroker.start();
  });
  afterEach(async () => {
    await emqx.stop();
    await broker.stop();
  });

  const access = () => ({ urls: [broker.url], username: 'tightbeam', password: 'secret' });
  const probe = async () =>
    (await diagnose(emqx.api, { version: '0.1.0', broker: access() })).find(({ check }) => check === 'probe');

  it('sends a direct message to itself, at QoS 1, and waits for both', async () => {
    expect(await probe()).toMatchObject({
      status: 'ok',
      message: expect.stringMatching(/acknowledged, in \d+\.\d ms/),
    });
    expect(broker.published).toEqual([
      expect.objectContaining({
        topic: expect.stringMatching(/^\$dm\/tightbeam-doctor-[^/]+\/tightbeam\/probe$/),
        qos: 1,
      }),
    ]);
    expect(broker.connected).toEqual([expect.objectContaining({ username: 'tightbeam', protocolVersion: 5 })]);
  });

  it.each([
    ['the plugin is missing', { puback: 0x10, deliver: false }, /0x10: nothing took the message/],
    ['the user may not', { puback: 0x87, deliver: false }, /0x87: the service's user may not use/],
    ['it was not confirmed', { puback: 0x80, deliver: true }, /0x80: the message was not confirmed/],
    ['the broker hangs up', { hangUp: true }, /the broker closed the connection/],
    ['the connection is refused', { connack: 0x87 }, /Not authorized/],
  ])('fails where %s', async (_, behaviour, says) => {
    Object.assign(broker, behaviour);
    expect(await probe()).toMatchObject({
      status: 'fail',
      message: expect.stringMatching(says),
      mend: expect.any(String),
    });
  });

  it.each([
    ['it went elsewhere', { puback: 0x00, deliver: false }, /0x00, but no message arrived/],
    ['nothing answers', { puback: undefined, deliver: false }, /did not answer/],
  ])('fails where %s until its time is over', async (_, behaviour, says) => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'setInterval', 'nextTick', 'queueMicrotask', 'performance'] });
    try {
      Object.assign(broker, behaviour);
      const handled = new Promise<void>((resolve) => (broker.onHandled = resolve));
      const probed = probe();
      await handled;
      jest.advanceTimersByTime(5_000);
      expect(await probed).toMatchObject({ status: 'fail', message: expect.stringMatching(says) });
    } finally {
      jest.useRealTimers();
    }
  });

  it('goes to every address that the service has, for each may be another node', async () => {
    const peer = await FakeBroker.start();
    Object.assign(peer, { puback: 0x10, deliver: false });
    const urls = [broker.url, peer.url];
    const diagnoses = await diagnose(emqx.api, {
      version: '0.1.0',
      broker: { ...access(), urls },
    });
    await peer.stop();
    expect(diagnoses.filter(({ check }) => check === 'probe')).toEqual([
      expect.objectContaining({ status: 'ok', message: expect.stringContaining(`itself at ${broker.url} arrived`) }),
      expect.objectContaining({ status: 'fail', message: expect.stringContaining(`${peer.url} answered 0x10`) }),
    ]);
  });

  it('fails where no broker listens', async () => {
    await broker.stop();
    expect(await probe()).toMatchObject({
      status: 'fail',
      message: expect.stringMatching(/no connection to mqtt:.*ECONNREFUSED/),
    });
  });
});
