import { expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import { call } from '../http/support.js';
import type { Bench } from './support/bench.js';
import { until } from './support/bench.js';
import { onceReceived } from './support/clients.js';
import { onCluster, onEmqx } from './support/suite.js';

const ANSWERS = 'answers/a';

/** Asks over HTTP. */
const ask = (
  bench: Bench,
  clientId: string,
  query: Record<string, string> = {},
  headers: Record<string, string> = {},
) =>
  call(bench.service.ports.http, {
    path: `/connections/${clientId}/requests`,
    query: { topic: 'cmd/state', responseTopic: ANSWERS, timeout: '10', ...query },
    headers,
    body: 'state?',
  });

/** Answers each request, with its Correlation Data unless `bare`. */
function answers(device: MqttClient, payload = 'open', bare = false): void {
  device.on('message', (_topic, _payload, { properties: { correlationData } = {} }) => {
    const properties = correlationData === undefined || bare ? {} : { properties: { correlationData } };
    device.publish(ANSWERS, payload, { qos: 1, ...properties });
  });
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

onEmqx('Requests', (bench) => {
  const name = () => `asked-${Math.random().toString(36).slice(2)}`;

  test('bring the answer of the device, which subscribers get as ever', async () => {
    const clientId = name();
    const [device, dashboard] = [await bench().connect(clientId), await bench().connect(name())];
    await dashboard.subscribeAsync('answers/#');
    const heard = onceReceived(dashboard);
    answers(device);
    const answer = await ask(bench(), clientId);
    expect([answer.status, answer.body['response']]).toEqual([200, { topic: ANSWERS, payload: base64('open') }]);
    expect((await heard).payload.toString()).toBe('open');
    await Promise.all([device.endAsync(), dashboard.endAsync()]);
  });

  test('of MQTT 3.1.1 devices are answered without Correlation Data', async () => {
    const clientId = name();
    const device = await bench().connect(clientId, { protocolVersion: 4 });
    answers(device);
    expect((await ask(bench(), clientId)).body['response']).toEqual({ topic: ANSWERS, payload: base64('open') });
    await device.endAsync();
  });

  test('at the same time get each its own answer', async () => {
    const clientId = name();
    const device = await bench().connect(clientId);
    let count = 0;
    device.on('message', (_topic, _payload, { properties: { correlationData } = {} }) => {
      if (correlationData) device.publish(ANSWERS, `${(count += 1)}`, { properties: { correlationData } });
    });
    const all = await Promise.all(Array.from({ length: 20 }, () => ask(bench(), clientId)));
    expect(new Set(all.map(({ body }) => JSON.stringify(body['response']))).size).toBe(20);
    await device.endAsync();
  });

  test('that a device acknowledges in silence are 504, and a repeat gets the answer without another message', async () => {
    const clientId = name();
    const device = await bench().connect(clientId);
    const received = onceReceived(device);
    let messages = 0;
    device.on('message', () => (messages += 1));
    const headers = { 'idempotency-key': name() };
    const first = await ask(bench(), clientId, { timeout: '1' }, headers);
    expect([first.status, first.body['reason'], first.body['written']]).toEqual([
      504,
      'ACKNOWLEDGED_NOT_ANSWERED',
      'yes',
    ]);
    const { correlationData } = (await received).properties ?? {};
    const repeat = ask(bench(), clientId, {}, headers);
    await device.publishAsync(ANSWERS, 'late', { qos: 1, properties: { correlationData: correlationData as Buffer } });
    expect(await repeat).toMatchObject({ status: 200, body: { joined: true, response: { payload: base64('late') } } });
    const again = await ask(bench(), clientId, {}, headers);
    expect(again).toMatchObject({ status: 200, body: { joined: true, response: { payload: base64('late') } } });
    expect(messages).toBe(1);
    await device.endAsync();
  });

  test('are not answered by another client, nor by the will of the device', async () => {
    const clientId = name();
    const will = { topic: ANSWERS, payload: Buffer.from('gone'), qos: 0, retain: false } as const;
    const [device, other] = [await bench().connect(clientId, { will }), await bench().connect(name())];
    const watcher = await bench().connect(name());
    await watcher.subscribeAsync('answers/#');
    const heard: string[] = [];
    watcher.on('message', (_topic, payload) => heard.push(payload.toString()));
    const received = onceReceived(device);
    const answer = ask(bench(), clientId, { timeout: '3' });
    const { correlationData } = (await received).properties ?? {};
    await other.publishAsync(ANSWERS, 'forged', { qos: 1, properties: { correlationData: correlationData as Buffer } });
    device.stream.destroy();
    await until(() => heard.includes('gone'));
    expect(heard).toEqual(['forged', 'gone']);
    expect(await answer).toMatchObject({ status: 504, body: { reason: 'ACKNOWLEDGED_NOT_ANSWERED' } });
    await Promise.all([device.endAsync(true), other.endAsync(), watcher.endAsync()]);
  });

  test('with an answer over the limit are 422', async () => {
    const clientId = name();
    const device = await bench().connect(clientId);
    answers(device, 'x'.repeat(131_073));
    expect(await ask(bench(), clientId)).toMatchObject({ status: 422, body: { reason: 'RESPONSE_TOO_LARGE' } });
    await device.endAsync();
  });

  test('bring an answer of 131,072 bytes', async () => {
    const clientId = name();
    const device = await bench().connect(clientId);
    answers(device, 'x'.repeat(131_072));
    expect((await ask(bench(), clientId)).body['response']).toEqual({
      topic: ANSWERS,
      payload: base64('x'.repeat(131_072)),
    });
    await device.endAsync();
  });
});

onCluster('Requests in a cluster', (bench) => {
  const name = () => `asked-${Math.random().toString(36).slice(2)}`;
  const peerUrl = () => bench().emqx.peer?.mqttUrl as string;
  const known = (clientId: string) =>
    until(() =>
      bench()
        .rest('GET', `/clients/${clientId}`)
        .then(({ connected }) => connected === true)
        .catch(() => false),
    );

  test.each(['first', 'peer'])('are answered by a device at the %s node', async (where) => {
    const clientId = name();
    const device = await bench().connect(clientId, {}, where === 'first' ? bench().emqx.mqttUrl : peerUrl());
    await known(clientId);
    answers(device);
    // Often enough that both connections of the service have sent one.
    for (let index = 0; index < 8; index += 1) {
      expect((await ask(bench(), clientId)).body['response']).toEqual({ topic: ANSWERS, payload: base64('open') });
    }
    await device.endAsync();
  });

  test('are answered by a device that has moved to the other node since it acknowledged', async () => {
    const clientId = name();
    const device = await bench().connect(clientId);
    await known(clientId);
    const received = onceReceived(device);
    const answer = ask(bench(), clientId, { timeout: '30' });
    const { correlationData } = (await received).properties ?? {};
    await device.endAsync();
    const moved = await bench().connect(clientId, {}, peerUrl());
    await moved.publishAsync(ANSWERS, 'moved', { qos: 1, properties: { correlationData: correlationData as Buffer } });
    expect(await answer).toMatchObject({ status: 200, body: { response: { payload: base64('moved') } } });
    await moved.endAsync();
  });
});
