import { afterEach, expect, test } from '@jest/globals';
import { direct, onceReceived, publish } from './support/clients.js';
import { ready, until } from './support/bench.js';
import { onEmqx } from './support/suite.js';

/** Refused by the policies of the suite: a device may receive all but `secret/*`. */
const DENIED = 'secret/#';

onEmqx('Policies in shadow', (bench) => {
  afterEach(async () => {
    await bench().switchModes({ mode: 'enforce' });
    await bench().api.setAuthorizationSettings({ ...(await bench().api.authorizationSettings()), no_match: 'deny' });
  });

  const wouldDeny = (topicName: string, clientId: string) =>
    bench().nextLine(
      (line) => line['eventType'] === 'WouldDeny' && line['topicName'] === topicName && line['clientId'] === clientId,
    );
  const subscribed = async (clientId: string) => {
    const device = await bench().connect(clientId);
    try {
      return (await device.subscribeAsync(DENIED, { qos: 1 })).every(({ qos }) => qos < 0x80);
    } catch {
      return false;
    } finally {
      await device.endAsync(true);
    }
  };

  test('enforced, EMQX refuses; in shadow with `allow` it does not, and says what it would have refused', async () => {
    expect(await subscribed('shadow-1')).toBe(false);
    await bench().switchModes({ mode: 'shadow', inShadow: 'allow' });
    expect(await subscribed('shadow-2')).toBe(true);
    expect(await wouldDeny(DENIED, 'shadow-2')).toMatchObject({
      status: 'Success',
      principalId: 'device',
      action: 'iot:Receive',
      cause: 'explicitDeny',
      reason: 'SUBSCRIBE_NOT_AUTHORIZED',
    });
    await bench().switchModes({ mode: 'enforce' });
    expect(await subscribed('shadow-3')).toBe(false);
  });

  test.each([
    ['allow', true],
    ['deny', false],
  ] as const)(
    'in shadow by the broker’s own decision, no_match = %s stands: subscribed is %s',
    async (no_match, granted) => {
      await bench().api.setAuthorizationSettings({ ...(await bench().api.authorizationSettings()), no_match });
      await bench().switchModes({ mode: 'shadow', inShadow: 'broker' });
      expect(await subscribed(`shadow-${no_match}`)).toBe(granted);
      await wouldDeny(DENIED, `shadow-${no_match}`);
    },
  );

  test('direct messages, passwords and the topics of Tightbeam stay enforced', async () => {
    await bench().switchModes({ mode: 'shadow', inShadow: 'allow' });
    const sender = await bench().connect('shadow-backend', { username: 'backend', password: 'backend' });
    const device = await bench().connect('shadow-device');
    const received = onceReceived(device);
    expect(await publish(sender, direct('shadow-device', 'secret/x'))).toBe(0x87);
    expect(await publish(sender, direct('shadow-device', 'cmd/x'), 'now')).toBe(0x00);
    expect(await received).toMatchObject({ topic: 'cmd/x' });
    await expect(bench().connect('shadow-wrong', { password: 'wrong' })).rejects.toThrow(/not authorized|bad user/i);
    const under = await device.subscribeAsync('$dm/#').then(
      (granted) => granted.map(({ qos }) => qos as number),
      () => [0x87],
    );
    expect(under).toEqual([0x87]);
  });

  test('without the service EMQX refuses in shadow too, whatever no_match says, and no more when it is back', async () => {
    await bench().api.setAuthorizationSettings({ ...(await bench().api.authorizationSettings()), no_match: 'allow' });
    await bench().switchModes({ mode: 'shadow', inShadow: 'broker' });
    const device = await bench().connect('shadow-orphan');
    await device.subscribeAsync('secret/before', { qos: 1 });
    await bench().service.stop();
    try {
      await expect(bench().connect('shadow-late')).rejects.toThrow();
      const answer = await device.subscribeAsync('secret/after', { qos: 1 }).then(
        (granted) => granted[0]?.qos,
        () => 0x87,
      );
      expect(answer).toBe(0x87);
    } finally {
      await bench().startService();
      await ready(bench());
    }
    await bench().switchModes({ mode: 'shadow', inShadow: 'broker' });
    await until(() => subscribed('shadow-again').catch(() => false));
  });
});
