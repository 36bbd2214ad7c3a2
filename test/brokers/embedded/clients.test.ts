import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { io, mqtt, mqtt5 } from 'aws-crt';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { send, startBroker, type Running } from './harness.js';

let running: Running;
beforeEach(async () => {
  running = await startBroker();
});
afterEach(() => running.stop());

describe('a direct message reaches, without any subscription,', () => {
  test('an AWS CRT client of MQTT 5', async () => {
    const client = new mqtt5.Mqtt5Client({
      hostName: '127.0.0.1',
      port: running.port,
      connectProperties: { clientId: 'crt5', keepAliveIntervalSeconds: 30, username: 'crt5' },
    });
    const connected = once(client, 'connectionSuccess');
    client.start();
    await connected;
    const received = once(client, 'messageReceived');
    expect(
      await send(await running.connect('backend'), '$dm/crt5/commands/open', { contentType: 'text/plain' }, 'now'),
    ).toBe(0x00);
    const [{ message }] = (await received) as [mqtt5.MessageReceivedEvent];
    expect(message).toMatchObject({ topicName: 'commands/open', qos: 1, contentType: 'text/plain' });
    expect(Buffer.from(message.payload as ArrayBuffer).toString()).toBe('now');
    const stopped = once(client, 'stopped');
    client.stop();
    await stopped;
    client.close();
  });

  test('an AWS CRT client of MQTT 3.1.1', async () => {
    const client = new mqtt.MqttClient();
    const connection = client.new_connection({
      client_id: 'crt311',
      host_name: '127.0.0.1',
      port: running.port,
      clean_session: true,
      username: 'crt311',
      socket_options: new io.SocketOptions(),
    });
    const received = new Promise<{ topic: string; payload: string }>((resolve) => {
      connection.on('message', (topic, payload) => {
        resolve({ topic, payload: Buffer.from(payload).toString() });
      });
    });
    await connection.connect();
    expect(await send(await running.connect('backend'), '$dm/crt311/commands/open', {}, 'now')).toBe(0x00);
    expect(await received).toEqual({ topic: 'commands/open', payload: 'now' });
    await connection.disconnect();
  });

  const hasMosquitto = spawnSync('mosquitto_sub', ['--help']).error === undefined;
  // Skipped only where the program is missing: apt-get install mosquitto-clients.
  (hasMosquitto ? test : test.skip).each(['mqttv5', 'mqttv311'])(
    'mosquitto_sub of %s (needs mosquitto-clients)',
    async (version) => {
      const device = spawn('mosquitto_sub', [
        ...['-h', '127.0.0.1', '-p', String(running.port), '-V', version, '-i', 'mosquitto', '-u', 'mosquitto'],
        // It has to subscribe to something; not to this.
        ...['-t', 'unrelated', '-C', '1', '-F', '%t %p'],
      ]);
      const output = once(device.stdout, 'data') as Promise<[Buffer]>;
      const exit = once(device, 'exit');
      await running.events.next('Subscribe');
      expect(await send(await running.connect('backend'), '$dm/mosquitto/commands/open', {}, 'now')).toBe(0x00);
      expect((await output)[0].toString().trim()).toBe('commands/open now');
      await exit;
    },
  );
});
