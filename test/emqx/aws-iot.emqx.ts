import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import type { IConnackPacket } from 'mqtt';
import { VERSION } from '../../src/version.js';
import { onceReceived, publish, silent } from './support/clients.js';
import { onEmqx } from './support/suite.js';

/** May retain under kept/. */
const KEEPER = { username: 'fact', password: 'fact' };

/** The plugin's settings as shipped. */
const SHIPPED: Readonly<Record<string, unknown>> = Object.fromEntries(
  readFileSync(join(import.meta.dirname, '../../emqx-plugin/priv/config.hocon'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' = ', 2))
    .map(([name = '', value = '']) => [name, JSON.parse(value) as unknown]),
);

onEmqx('With the plugin’s setting aws_iot', (bench) => {
  const path = `/plugins/tightbeam-${VERSION}/config`;
  /** By the API; where EMQX has no schema for the plugin's configuration (seen on 5.8.9), in the plugin itself. */
  const set = async (aws_iot: boolean) => {
    try {
      await bench().rest('PUT', path, { ...SHIPPED, aws_iot });
    } catch (error) {
      if (!/schema_serde_not_found/.test((error as Error).message)) throw error;
      await bench().emqx.ctl?.('eval', `'tightbeam_config:put(maps:put(aws_iot,${aws_iot},tightbeam_config:all()))'`);
    }
  };
  beforeAll(() => set(true));
  const connect = (clientId: string, keepalive = 60) =>
    bench().connect(clientId, { username: 'backend', password: 'backend', keepalive });

  test('QoS 1 is the most that a SUBSCRIBE is granted', async () => {
    const client = await connect('aws-qos');
    const granted = await client.subscribeAsync({ 'aws/a': { qos: 2 }, 'aws/b': { qos: 1 }, 'aws/c': { qos: 0 } });
    expect(granted.map(({ qos }) => qos)).toEqual([1, 1, 0]);
  });

  test('a filter with a wildcard gets no retained message, and one without does', async () => {
    const client = await connect('aws-retained');
    await publish(await bench().connect('aws-keeper', KEEPER), 'kept/aws', 'x', { retain: true });
    const heard = silent(client, 500);
    await client.subscribeAsync('kept/#');
    expect(await heard).toBe(true);
    const received = onceReceived(client);
    await client.subscribeAsync('kept/aws');
    expect(await received).toMatchObject({ topic: 'kept/aws', retain: true });
    await publish(await bench().connect('aws-keeper-2', KEEPER), 'kept/aws', '', { retain: true });
  });

  test('a subscription identifier ends the connection', async () => {
    const client = await connect('aws-identifier');
    const closed = new Promise<number | undefined>((resolve) => {
      client.on('packetreceive', (packet) => {
        if (packet.cmd === 'disconnect') resolve(packet.reasonCode);
      });
    });
    client.subscribe('aws/identified', { qos: 1, properties: { subscriptionIdentifier: 7 } }, () => undefined);
    expect(await closed).toBe(0xa1);
  });

  test('CONNACK tells the keep-alive in the range of AWS, and that there are no subscription identifiers', async () => {
    const terms = async (clientId: string, keepalive: number) => {
      const client = await connect(clientId, keepalive);
      await client.endAsync();
      const connack = new Promise<IConnackPacket>((resolve) => client.once('connect', resolve));
      client.reconnect();
      const { properties } = await connack;
      await client.endAsync();
      return properties;
    };
    expect(await terms('aws-none', 0)).toMatchObject({
      serverKeepAlive: 1200,
      subscriptionIdentifiersAvailable: false,
    });
    expect(await terms('aws-short', 5)).toMatchObject({ serverKeepAlive: 30 });
    expect(await terms('aws-long', 3_600)).toMatchObject({ serverKeepAlive: 1200 });
    expect(await terms('aws-plain', 60)).not.toHaveProperty('serverKeepAlive');
  });

  test('a message lives for 1 s at least, and for 7 days at most', async () => {
    const client = await connect('aws-expiry');
    await client.subscribeAsync('aws/expiry', { qos: 1 });
    const expiryOf = async (messageExpiryInterval: number) => {
      const received = onceReceived(client);
      await publish(client, 'aws/expiry', 'x', { properties: { messageExpiryInterval } });
      return (await received).properties?.messageExpiryInterval;
    };
    expect(await expiryOf(0)).toBeLessThanOrEqual(1);
    expect(await expiryOf(1_000_000)).toBeLessThanOrEqual(604_800);
    expect(await expiryOf(1_000_000)).toBeGreaterThan(604_000);
  });

  test('taken back, the setting leaves MQTT as EMQX has it', async () => {
    await set(false);
    const client = await connect('aws-not');
    expect(await client.subscribeAsync('aws/a', { qos: 2 })).toMatchObject([{ qos: 2 }]);
  });
});
