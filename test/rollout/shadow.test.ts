import { afterEach, describe, expect, test } from '@jest/globals';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { startService, type Service } from '../../src/app.js';
import { DEV_DEFAULTS } from '../../src/cli/serve.js';
import { loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';
import { captureLog, type CapturedLog } from '../telemetry/capture.js';
import { nextMessage, send } from '../brokers/embedded/harness.js';
import { hasMosquitto, startMosquitto } from '../brokers/mosquitto/mosquitto.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Running {
  readonly service: Service;
  readonly log: CapturedLog;
  /** The modes that the configuration has from now on. */
  set(authorization: object): void;
  connect(username: string, options?: IClientOptions): Promise<MqttClient>;
}

async function run(broker: 'embedded' | 'door', authorization: object, address?: string): Promise<Running> {
  const read = (modes: object, more: object = {}): Config =>
    loadConfig(
      undefined,
      {},
      {
        ...DEV_DEFAULTS,
        broker: { ...DEV_DEFAULTS.broker, ...(address && { kind: 'door', urls: [`unix:${address}`] }) },
        embedded: { port: 0 },
        door: { port: 0 },
        http: { port: 0 },
        exhook: { port: 0 },
        telemetry: { port: 0 },
        authorization: modes,
        ...more,
      },
    );
  let next = () => read(authorization);
  const log = captureLog();
  const service = await startService(next(), { broker, logDestination: log, readConfig: () => next() });
  ends.push(() => service.stop());
  if (broker === 'door')
    await log.next((line) => line['eventType'] === 'BrokerConnection' && line['status'] === 'Success');
  return {
    service,
    log,
    set: (modes) => {
      next = () => read(modes);
    },
    async connect(username, options = {}) {
      const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${service.ports.mqtt ?? 0}`, {
        clientId: username,
        username,
        password: username,
        protocolVersion: 5,
        reconnectPeriod: 0,
        ...options,
      });
      client.on('error', () => undefined);
      ends.push(() => client.endAsync(true));
      return client;
    },
  };
}

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
    return run('door', authorization, mosquitto.path);
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
