import { afterEach, describe, expect, test } from '@jest/globals';
import { DoorOperations } from '../../../src/brokers/door/operations.js';
import type { ActionEvent } from '../../../src/observing/events.js';
import { nextMessage } from '../embedded/harness.js';
import { connectPacket, startDoor, type Running, type StartOptions } from './harness.js';
import { hasMosquitto } from './mosquitto.js';

let running: Running;
const start = async (options?: StartOptions): Promise<void> => {
  running = await startDoor(options);
};

(hasMosquitto ? describe : describe.skip)('the door before Mosquitto', () => {
  afterEach(() => running.stop());

  describe('operations', () => {
    const will = { topic: 'wills', payload: Buffer.from('w'), qos: 0 as const, retain: false };

    test.each([true, false])('DeleteConnection ends a connection, and prevents the will: %s', async (preventWill) => {
      await start();
      const operations = new DoorOperations(running.broker, { username: 'tightbeam' });
      const subscriber = await running.connect('subscriber');
      await subscriber.subscribeAsync(['wills', 'last']);
      const heard: string[] = [];
      subscriber.on('message', (topic) => heard.push(topic));
      const device = await running.raw('lock-17', { will, clean: false, properties: { sessionExpiryInterval: 60 } });
      const connection = await operations.getConnection('lock-17');
      expect(connection).toMatchObject({ connected: true, cleanSession: false, sessionExpirySeconds: 60 });
      if (connection === undefined) throw new Error('There is none.');
      expect(await operations.deleteConnection(connection, { cleanSession: true, preventWill })).toBe(true);
      expect(await device.next('disconnect')).toMatchObject({ reasonCode: 0x98 });
      await device.closed;
      expect(await operations.getConnection('lock-17')).toBeUndefined();
      expect(await operations.deleteConnection(connection, { cleanSession: true, preventWill })).toBe(false);
      const again = running.stranger();
      again.send(connectPacket('lock-17', { clean: false }));
      // The broker has forgotten the session, and by now said what it had to say of the connection.
      expect(await again.next('connack')).toMatchObject({ sessionPresent: false });
      const last = nextMessage(subscriber);
      await subscriber.publishAsync('last', 'p', { qos: 1 });
      await last;
      // In whichever order: Mosquitto publishes a will when it has time for it.
      while (heard.length < (preventWill ? 1 : 2)) await nextMessage(subscriber);
      expect(heard.sort()).toEqual(preventWill ? ['last'] : ['last', 'wills']);
    });

    test('ListSubscriptions has what the broker granted and the client did not give up', async () => {
      await start();
      const operations = new DoorOperations(running.broker, { username: 'tightbeam' });
      const device = await running.connect('lock-17');
      await device.subscribeAsync({ a: { qos: 1 }, 'b/#': { qos: 2 }, c: { qos: 0 } });
      await device.unsubscribeAsync('c');
      expect(await operations.listSubscriptions('lock-17')).toEqual([
        { topicFilter: 'a', qos: 1 },
        { topicFilter: 'b/#', qos: 2 },
      ]);
      expect(await operations.listSubscriptions('nobody')).toBeUndefined();
    });
  });

  test('what passes is told as on EMQX, where its topic is asked for', async () => {
    await start({ gate: { logged: { publishIn: ['in/#'], publishOut: ['+/told'], unsubscribe: true } } });
    const client = await running.raw('client');
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] });
    await client.next('suback');
    for (const topic of ['out/1', 'out/told', 'in/1']) client.publish(topic, 0, { qos: 0 });
    client.publish('in/2', 2);
    client.send({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['#'] });
    await client.next('unsuback');
    expect(await running.events.next('Unsubscribe')).toMatchObject({ topicName: '#' });
    const told = running.events.all.filter(({ name }) => name.startsWith('Publish'));
    const facts = ({ topicName, qos, payloadBytes }: ActionEvent) => [topicName, qos, payloadBytes];
    expect(told.map(({ name, event }) => [name, ...facts(event as ActionEvent)])).toEqual([
      ['Publish-In', 'in/1', 0, 1],
      ['Publish-In', 'in/2', 1, 1],
      ['Publish-Out', 'out/told', 0, 1],
    ]);
  });

  test('a retained message is read from the broker, and with it nothing else', async () => {
    await start();
    const operations = new DoorOperations(running.broker, { username: 'tightbeam' });
    const client = await running.connect('client');
    const properties = { userProperties: { a: '1' } };
    await client.publishAsync('state/1', 'on', { qos: 2, retain: true, properties });
    await client.publishAsync('state/2', '', { qos: 0, retain: true });
    expect(await operations.getRetainedMessage('state/1')).toEqual({
      topic: 'state/1',
      qos: 2,
      payload: Buffer.from('on'),
      payloadBytes: 2,
      userProperties: [['a', '1']],
    });
    expect(await operations.getRetainedMessage('state/2')).toBeUndefined();
    expect(await operations.getRetainedMessage('state')).toBeUndefined();
    await running.mosquitto.stop();
    await expect(operations.getRetainedMessage('state/1')).rejects.toMatchObject({ reason: 'BROKER_UNAVAILABLE' });
  });
});
