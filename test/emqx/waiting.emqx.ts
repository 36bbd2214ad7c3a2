import { afterEach, expect, test } from '@jest/globals';
import { connect, type MqttClient } from 'mqtt';
import { call } from '../http/support.js';
import type { Bench } from './support/bench.js';
import { until } from './support/bench.js';
import { direct, publish } from './support/clients.js';
import { onCluster, onEmqx } from './support/suite.js';

const name = () => `sleeper-${Math.random().toString(36).slice(2)}`;

/** Sends over HTTP to a device that is not there. */
const send = (bench: Bench, clientId: string, query: Record<string, string> = {}) =>
  call(bench.service.ports.http, {
    path: `/connections/${clientId}/messages`,
    query: { topic: 'cmd/wake', confirmation: 'true', waitForConnection: '60', ...query },
    body: 'now',
  });

const devices: MqttClient[] = [];
afterEach(() => Promise.all(devices.splice(0).map((device) => device.endAsync(true))));

/** A device that wakes, and every packet that it gets, from CONNACK on. */
function wake(url: string, clientId: string, options: object = {}): { client: MqttClient; received: string[] } {
  const client = connect(url, { clientId, username: 'device', password: 'device', protocolVersion: 5, ...options });
  devices.push(client);
  const received: string[] = [];
  client.on('packetreceive', (packet) => {
    received.push(packet.cmd === 'publish' ? `publish ${packet.topic}` : packet.cmd);
  });
  return { client, received };
}

/** What waits at the broker, on the node that `emqx ctl` asks. */
const waiting = async (bench: Bench): Promise<number> =>
  Number(/waiting for connections : (\d+)/.exec((await bench.emqx.ctl?.('tightbeam', 'status')) ?? '')?.[1]);
const waits = (bench: Bench, count: number) => until(async () => (await waiting(bench)) === count);
const user = (properties: Record<string, string>) => ({ properties: { userProperties: properties } });

onEmqx('A device that is about to wake', (bench) => {
  const url = () => bench().emqx.mqttUrl;
  const backend = () => bench().connect(name(), { username: 'backend', password: 'backend' });

  test('gets what was sent to it over HTTP, once and behind its CONNACK, and its PUBACK answers', async () => {
    const clientId = name();
    const answer = send(bench(), clientId);
    await waits(bench(), 1);
    const device = wake(url(), clientId);
    expect(await answer).toMatchObject({ status: 200 });
    await until(() => device.received.length === 2);
    expect(device.received).toEqual(['connack', 'publish cmd/wake']);
    await waits(bench(), 0);
  });

  test('gets what was sent to it over MQTT, in order', async () => {
    const clientId = name();
    const sender = await backend();
    const answers = [1, 2, 3].map((index) =>
      publish(sender, direct(clientId, `cmd/${index}`), 'now', user({ 'dm-wait-ms': '60000' })),
    );
    await waits(bench(), 3);
    const device = wake(url(), clientId);
    expect(await Promise.all(answers)).toEqual([0, 0, 0]);
    await until(() => device.received.length === 4);
    expect(device.received).toEqual(['connack', 'publish cmd/1', 'publish cmd/2', 'publish cmd/3']);
  });

  test('with a persistent session gets it too, when it is back', async () => {
    const clientId = name();
    const session = { clean: false, properties: { sessionExpiryInterval: 60 } };
    await (await bench().connect(clientId, session)).endAsync();
    expect(await send(bench(), clientId, { waitForConnection: '1' })).toMatchObject({
      status: 404,
      body: { reason: 'CLIENT_OFFLINE_WITH_SESSION', written: 'no' },
    });
    const answer = send(bench(), clientId);
    await waits(bench(), 1);
    const device = wake(url(), clientId, session);
    expect(await answer).toMatchObject({ status: 200 });
    await until(() => device.received.length === 2);
    expect(device.received).toEqual(['connack', 'publish cmd/wake']);
  });

  test('that does not come in time gets nothing, over neither door', async () => {
    const clientId = name();
    const sender = await backend();
    const [http, mqtt] = await Promise.all([
      send(bench(), clientId, { waitForConnection: '1' }),
      publish(sender, direct(clientId, 'cmd/wake'), 'now', user({ 'dm-wait-ms': '1000' })),
    ]);
    expect([http.status, http.body['reason'], mqtt]).toEqual([404, 'CLIENT_NOT_CONNECTED', 0x90]);
    const device = wake(url(), clientId);
    await until(() => device.received.length > 0);
    await bench().send(clientId, { topic: 'cmd/after' });
    expect(device.received).toEqual(['connack', 'publish cmd/after']);
  });

  test('that may not receive it is sent nothing', async () => {
    const clientId = name();
    const sender = await backend();
    const answer = publish(sender, direct(clientId, 'secret/x'), 'now', user({ 'dm-wait-ms': '60000' }));
    await waits(bench(), 1);
    const device = wake(url(), clientId);
    expect(await answer).toBe(0x87);
    expect(device.received).toEqual(['connack']);
  });

  test('is sent nothing of a sender that is gone', async () => {
    const clientId = name();
    const sender = await backend();
    void publish(sender, direct(clientId, 'cmd/wake'), 'now', user({ 'dm-wait-ms': '60000' }));
    await waits(bench(), 1);
    sender.stream.destroy();
    await waits(bench(), 0);
    const device = wake(url(), clientId);
    await until(() => device.received.length > 0);
    await bench().send(clientId, { topic: 'cmd/after' });
    expect(device.received).toEqual(['connack', 'publish cmd/after']);
  });

  test('is waited for by requests, and answers', async () => {
    const clientId = name();
    const answer = call(bench().service.ports.http, {
      path: `/connections/${clientId}/requests`,
      query: { topic: 'cmd/state', responseTopic: 'answers/a', waitForConnection: '60' },
      body: 'state?',
    });
    await waits(bench(), 1);
    const { client } = wake(url(), clientId);
    client.on('message', (_topic, _payload, { properties: { correlationData } = {} }) => {
      client.publish('answers/a', 'open', { properties: { correlationData: correlationData as Buffer } });
    });
    expect(await answer).toMatchObject({ status: 200, body: { response: { topic: 'answers/a' } } });
  });
});

onCluster('A device that is about to wake, in a cluster', (bench) => {
  test.each(['first', 'peer'])('is found when it connects to the %s node', async (where) => {
    const url = where === 'first' ? bench().emqx.mqttUrl : (bench().emqx.peer?.mqttUrl as string);
    // Often enough that both connections of the service have waited.
    for (let index = 0; index < 4; index += 1) {
      const clientId = name();
      const sender = await bench().connect(name(), { username: 'backend', password: 'backend' });
      const http = send(bench(), clientId);
      const mqtt = publish(sender, direct(clientId, 'cmd/mqtt'), 'now', user({ 'dm-wait-ms': '60000' }));
      const device = wake(url, clientId);
      expect([(await http).status, await mqtt]).toEqual([200, 0]);
      await until(() => device.received.length === 3);
      expect([device.received[0], ...device.received.slice(1).sort()]).toEqual([
        'connack',
        'publish cmd/mqtt',
        'publish cmd/wake',
      ]);
    }
  });
});
