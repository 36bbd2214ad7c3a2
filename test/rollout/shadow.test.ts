import { describe, expect, test } from '@jest/globals';
import type { CapturedLog } from '../telemetry/capture.js';
import { nextMessage, send } from '../brokers/embedded/harness.js';
import { hasMosquitto, startMosquitto } from '../brokers/mosquitto/mosquitto.js';
import { ends, run, type Running } from './running.js';

const wouldDeny = (log: CapturedLog, topicName?: string) =>
  log.next((line) => line['eventType'] === 'WouldDeny' && line['topicName'] === topicName);

/** QoS 1 from one device to another on a topic that no policy allows either. */
async function passes(running: Running, topic: string): Promise<void> {
  const [from, to] = [await running.connect('lock-17'), await running.connect('lock-18')];
  await to.subscribeAsync(topic, { qos: 1 });
  const received = nextMessage(to);
  await from.publishAsync(topic, 'on', { qos: 1 });
  expect(await received).toMatchObject({ topic, payload: 'on' });
}

function behaves(name: string, start: (authorization: object) => Promise<Running>, inShadow: 'broker' | 'allow'): void {
  describe(name, () => {
    test('in shadow no client is refused what it did, and all that would be denied is told', async () => {
      const running = await start({ mode: 'shadow', inShadow });
      await running.connect('lock-19', { clientId: 'another-name' });
      await passes(running, 'old/topic');
      expect(await running.log.next((line) => line['eventType'] === 'AuthorizationMode')).toMatchObject({
        details: expect.stringMatching(/^shadow; in shadow/),
      });
      expect(
        await running.log.next((line) => line['eventType'] === 'WouldDeny' && line['action'] === 'iot:Connect'),
      ).toMatchObject({
        status: 'Success',
        clientId: 'another-name',
        principalId: 'lock',
        reason: 'CONNECT_NOT_AUTHORIZED',
        cause: 'implicitDeny',
      });
      const told = running.log.lines.filter(
        ({ eventType, topicName }) => eventType === 'WouldDeny' && topicName === 'old/topic',
      );
      expect(told.map(({ action }) => action)).toEqual(expect.arrayContaining(['iot:Publish', 'iot:Subscribe']));
      expect(running.log.lines.filter(({ status, protocol }) => status === 'Failure' && protocol === 'MQTT')).toEqual(
        [],
      );
      const ready = await fetch(`http://127.0.0.1:${running.service.ports.http}/readyz`);
      expect(await ready.json()).toEqual({ status: 'ready', authorization: 'shadow' });
      const metrics = await (await fetch(`http://127.0.0.1:${running.service.ports.metrics}/metrics`)).text();
      expect(metrics).toMatch(/^tightbeam_policy_shadow(\{.*\})? 1$/m);
      expect(metrics).toMatch(/^tightbeam_policy_would_deny_total\{.*action="iot:Publish".*\} 1$/m);
    });

    test('in shadow passwords are enforced, and so are policies of direct messages', async () => {
      const running = await start({ mode: 'shadow', inShadow });
      await expect(running.connect('lock-17', { password: 'wrong' })).rejects.toThrow(/not authorized/i);
      const [lock] = [await running.connect('lock-17'), await running.connect('lock-18')];
      expect(await send(lock, '$dm/lock-18/cmd/open')).toBe(0x87);
      const reasons = await lock.subscribeAsync('$dm/#').then(
        (granted) => granted.map(({ qos }) => qos as number),
        () => [0x87],
      );
      expect(reasons).toEqual([0x87]);
    });

    test('after the switch and a reload the same is refused, and a pattern keeps who it names in shadow', async () => {
      const running = await start({ mode: 'shadow', inShadow });
      await passes(running, 'before');
      running.set({ mode: 'enforce', modes: { 'back*': 'shadow' }, inShadow });
      await running.service.reload();
      const lock = await running.connect('lock-19');
      await expect(lock.publishAsync('after', 'on', { qos: 1 })).rejects.toThrow(/authorized/i);
      const backend = await running.connect('backend', { clientId: 'any-name' });
      await backend.publishAsync('after/too', 'on', { qos: 1 });
      expect(await wouldDeny(running.log, 'after/too')).toMatchObject({ principalId: 'backend' });
      running.set({ mode: 'enforce' });
      await running.service.reload();
      await running.log.next((line) => line['eventType'] === 'AuthorizationMode' && line['details'] === 'enforce');
      const metrics = await (await fetch(`http://127.0.0.1:${running.service.ports.metrics}/metrics`)).text();
      expect(metrics).toMatch(/^tightbeam_policy_shadow(\{.*\})? 0$/m);
    });
  });
}

behaves('the embedded broker', (authorization) => run('embedded', authorization), 'allow');

if (hasMosquitto) {
  const start = async (authorization: object): Promise<Running> => {
    const mosquitto = await startMosquitto();
    ends.push(() => mosquitto.dispose());
    return run('door', authorization, { address: mosquitto.path });
  };
  behaves('the door before Mosquitto', start, 'broker');
} else {
  test.skip('the door before Mosquitto, which is not installed here', () => undefined);
}

test('a configuration that cannot be read again leaves the modes as they are', async () => {
  const running = await run('embedded', { mode: 'shadow', inShadow: 'allow' });
  running.set({ mode: 'enforced' });
  await running.service.reload();
  await running.log.next(({ msg }) => /could not be read again/.test(String(msg)));
  await passes(running, 'old/topic');
});

test('settings that count after a restart only are named', async () => {
  const running = await run('embedded', { mode: 'shadow', inShadow: 'allow' });
  running.set({ mode: 'shadow', inShadow: 'allow', receiveOnSubscribe: 'off' });
  await running.service.reload();
  expect(await running.log.next(({ msg }) => /after a restart/.test(String(msg)))).toMatchObject({
    settings: 'authorization',
  });
});

test('the embedded broker denies by itself what nobody decides, so that in shadow by its own decision it does', async () => {
  const running = await run('embedded', { mode: 'shadow' });
  const lock = await running.connect('lock-17');
  await expect(lock.publishAsync('old/topic', 'on', { qos: 1 })).rejects.toThrow(/authorized/i);
  await wouldDeny(running.log, 'old/topic');
});
