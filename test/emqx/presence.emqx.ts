import { EventEmitter, once } from 'node:events';
import { afterEach, expect, test } from '@jest/globals';
import type { IClientOptions, MqttClient } from 'mqtt';
import { until } from './support/bench.js';
import { publish } from './support/clients.js';
import { onEmqx } from './support/suite.js';

interface Told {
  readonly topic: string;
  readonly event: Readonly<Record<string, unknown>>;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

onEmqx(
  'Lifecycle events',
  (bench) => {
    const clients: MqttClient[] = [];
    afterEach(async () => {
      await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
    });
    const connect = async (clientId: string, options: IClientOptions = {}): Promise<MqttClient> => {
      const client = await bench().connect(clientId, options);
      clients.push(client);
      return client;
    };
    /** The events of these clients, in the order in which they come. */
    const watch = async (...of: string[]): Promise<() => Promise<Told>> => {
      const watcher = await connect('presence-watcher', { username: 'backend', password: 'backend' });
      const told: Told[] = [];
      const arrivals = new EventEmitter();
      watcher.on('message', (topic, payload) => {
        if (!of.some((clientId) => topic.endsWith(`/${clientId}`))) return;
        told.push({ topic, event: JSON.parse(payload.toString()) as Told['event'] });
        arrivals.emit('told');
      });
      await watcher.subscribeAsync('$aws/events/#', { qos: 1 });
      // The plugin asks every few seconds what the service wants.
      await until(async () => {
        const probe = await bench().connect('presence-probe');
        const came = new Promise<boolean>((resolve) => {
          const heard = (topic: string): void => {
            if (topic === '$aws/events/presence/connected/presence-probe') resolve(true);
          };
          watcher.on('message', heard);
          setTimeout(resolve, 300, false);
        });
        await probe.endAsync();
        return came;
      });
      return async () => {
        for (;;) {
          const next = told.shift();
          if (next !== undefined) return next;
          await once(arrivals, 'told');
        }
      };
    };
    const common = (clientId: string, principalIdentifier = 'device') => ({
      clientId,
      timestamp: expect.any(Number) as unknown,
      sessionIdentifier: expect.stringMatching(UUID) as unknown,
      principalIdentifier,
    });

    test('have the members of AWS IoT Core and no other, in order, one for each event', async () => {
      const next = await watch('presence-life');
      const client = await connect('presence-life');
      const begin = await next();
      expect(begin).toEqual({
        topic: '$aws/events/presence/connected/presence-life',
        event: {
          ...common('presence-life'),
          eventType: 'connected',
          ipAddress: expect.any(String) as unknown,
          versionNumber: expect.any(Number) as unknown,
        },
      });
      await client.subscribeAsync({ 'presence/a': { qos: 0 }, 'presence/b/#': { qos: 1 } });
      expect(await next()).toEqual({
        topic: '$aws/events/subscriptions/subscribed/presence-life',
        event: { ...common('presence-life'), eventType: 'subscribed', topics: ['presence/a', 'presence/b/#'] },
      });
      await client.unsubscribeAsync('presence/a');
      expect(await next()).toEqual({
        topic: '$aws/events/subscriptions/unsubscribed/presence-life',
        event: { ...common('presence-life'), eventType: 'unsubscribed', topics: ['presence/a'] },
      });
      await client.endAsync();
      expect(await next()).toEqual({
        topic: '$aws/events/presence/disconnected/presence-life',
        event: {
          ...common('presence-life'),
          eventType: 'disconnected',
          sessionIdentifier: begin.event['sessionIdentifier'],
          clientInitiatedDisconnect: true,
          disconnectReason: 'CLIENT_INITIATED_DISCONNECT',
          versionNumber: begin.event['versionNumber'],
        },
      });
    });

    test('tell of a SUBSCRIBE what was granted', async () => {
      const next = await watch('presence-part');
      const client = await connect('presence-part');
      await next();
      await client.subscribeAsync(['secret/x', 'presence/a']).catch(() => undefined);
      expect((await next()).event).toMatchObject({ topics: ['presence/a'] });
    });

    test('keep the identifier of a session that is carried on, through a takeover too', async () => {
      const next = await watch('presence-kept');
      const kept = { clean: false, properties: { sessionExpiryInterval: 60 } };
      const first = await connect('presence-kept', kept);
      const begin = (await next()).event;
      first.stream.destroy();
      expect((await next()).event).toMatchObject({
        disconnectReason: 'CONNECTION_LOST',
        versionNumber: begin['versionNumber'],
      });
      await connect('presence-kept', kept);
      const again = (await next()).event;
      expect(again['sessionIdentifier']).toBe(begin['sessionIdentifier']);
      expect(again['versionNumber']).toBeGreaterThan(begin['versionNumber'] as number);
      await connect('presence-kept', kept);
      const two = [(await next()).event, (await next()).event];
      const end = two.find(({ eventType }) => eventType === 'disconnected');
      const taken = two.find(({ eventType }) => eventType === 'connected');
      expect(end).toMatchObject({ disconnectReason: 'DUPLICATE_CLIENTID', versionNumber: again['versionNumber'] });
      expect(taken?.['sessionIdentifier']).toBe(begin['sessionIdentifier']);
    });

    test('tell of a client that has proved who it is and may not connect, and of no other', async () => {
      const next = await watch('brief-1', 'brief-2');
      await expect(bench().connect('brief-2', { password: 'wrong' })).rejects.toThrow();
      const persistent = { clean: false, properties: { sessionExpiryInterval: 60 } };
      await expect(bench().connect('brief-1', { username: 'fact', password: 'fact', ...persistent })).rejects.toThrow();
      expect(await next()).toEqual({
        topic: '$aws/events/presence/connect_failed/brief-1',
        event: {
          ...common('brief-1', 'fact'),
          eventType: 'connect_failed',
          connectFailureReason: 'AUTHORIZATION_FAILED',
          ipAddress: expect.any(String) as unknown,
        },
      });
    });

    test('are published by nobody else: not by a client, nor delayed, nor over the REST API', async () => {
      const next = await watch('presence-forged', 'presence-end');
      const client = await connect('presence-forger');
      const topic = '$aws/events/presence/connected/presence-forged';
      expect(await publish(client, topic, '{}')).toBe(0x87);
      expect(await publish(client, `$delayed/1/${topic}`, '{}')).toBe(0x87);
      await bench()
        .rest('POST', '/publish', { topic, payload: '{}', qos: 1 })
        .catch(() => undefined);
      await connect('presence-end');
      expect((await next()).event).toMatchObject({ clientId: 'presence-end' });
    });
  },
  () => ({ lifecycleEvents: true }),
);
