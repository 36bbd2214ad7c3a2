import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { IClientOptions, MqttClient } from 'mqtt';
import { diagnose } from '../../src/brokers/emqx/install/doctor.js';
import type { Reason } from '../../src/reasons.js';
import { VERSION } from '../../src/version.js';
import { SERVICE, until } from './support/bench.js';
import { onceReceived, silent } from './support/clients.js';
import { type Door, httpDoor, Ledger, mqttDoor, type Sent } from './support/doors.js';
import { Load } from './support/load.js';
import { onCluster, testIf } from './support/suite.js';
import type { Peer } from './support/targets.js';

const MUTE: IClientOptions = { customHandleAcks: () => undefined };
const SESSION: IClientOptions = { clean: false, properties: { sessionExpiryInterval: 60 } };
/** Seconds; no answer of these tests may take so long, but for those that wait for it. */
const LONG = 15;
const AT_ONCE_MS = 5_000;

onCluster('Direct messages in a cluster', (bench, { canKillPeer }) => {
  /** Through the service, through a client of the first node, and through one of the second. */
  let http: Door;
  let mqtt: Door;
  let mqttOfPeer: Door;
  let ledger: Ledger;
  let clients: MqttClient[];
  let firstNode: unknown;

  const peer = (): Peer => bench().emqx.peer as Peer;
  const name = (what: string) => `${what}-${Math.random().toString(36).slice(2)}`;
  const connect = async (clientId: string, options: IClientOptions = {}, url = bench().emqx.mqttUrl) => {
    const client = await bench().connect(clientId, options, url);
    clients.push(client);
    return client;
  };
  const connectSender = (url?: string) => connect(name('sender'), { username: 'backend', password: 'backend' }, url);
  const linked = (url: string) =>
    bench().log.findLast((line) => line['eventType'] === 'BrokerConnection' && line['broker'] === url)?.['status'] ===
    'Success';

  /** A device at the second node, of which the first has heard: nodes tell each other a moment after CONNACK. */
  const connectAtPeer = async (clientId: string, options: IClientOptions = {}) => {
    const device = await connect(clientId, options, peer().mqttUrl);
    await until(() => isAt('peer', clientId));
    return device;
  };
  const isAt = async (where: 'first' | 'peer', clientId: string) => {
    const { node, connected } = await lookUp(clientId);
    return connected === true && (node === firstNode) === (where === 'first');
  };
  const lookUp = (clientId: string): Promise<Record<string, unknown>> =>
    bench()
      .rest('GET', `/clients/${clientId}`)
      .catch(() => ({}));
  beforeEach(async () => {
    clients = [];
    await until(() => linked(peer().mqttUrl), 30_000);
    ledger = new Ledger(bench());
    http = httpDoor(bench());
    const sender = await connectSender();
    firstNode = (await lookUp(sender.options.clientId as string))['node'];
    mqtt = mqttDoor(sender);
    mqttOfPeer = mqttDoor(await connectSender(peer().mqttUrl));
  });
  afterEach(async () => {
    await ledger.settle([http, mqtt, mqttOfPeer]);
    await Promise.all(clients.map((client) => client.endAsync(true)));
  });

  test('the doctor finds nothing to mend, at either node', async () => {
    const { api, emqx } = bench();
    // One that an earlier file has raised ends after 30 s.
    await until(async () => (await api.alarms()).every((alarm) => alarm.name !== 'tightbeam_no_hook_provider'), 45_000);
    const broker = { urls: [emqx.mqttUrl, peer().mqttUrl], ...SERVICE };
    const found = await diagnose(api, { version: VERSION, broker, probeTimeoutMs: 2_000 });
    // A container reaches the service over a network, in clear text: that is worth a warning, and wanted here.
    const problems = found.filter(({ status, message }) => status !== 'ok' && !message.includes('in clear text'));
    expect(problems).toEqual([]);
    expect(found.filter(({ check }) => check === 'probe')).toHaveLength(2);
  });

  describe.each<[name: string, door: () => Door]>([
    ['HTTP', () => http],
    ['MQTT', () => mqtt],
  ])('through %s, to a device at the other node', (_, door) => {
    const expectReason = (sent: Sent, reason: Reason) => ledger.expect(door(), { timeout: LONG, ...sent }, reason);

    test('QoS 1 is confirmed by its PUBACK', async () => {
      const clientId = name('device');
      const device = await connectAtPeer(clientId);
      const received = onceReceived(device);
      await expectReason({ clientId, topic: 'cmd/unlock', payload: 'now' }, 'DELIVERED');
      expect(await received).toMatchObject({ topic: 'cmd/unlock', payload: Buffer.from('now'), qos: 1 });
    });

    test('QoS 0 is handed over', async () => {
      const clientId = name('device');
      const received = onceReceived(await connectAtPeer(clientId));
      await expectReason({ clientId, confirmation: false }, 'DISPATCHED');
      expect(await received).toMatchObject({ qos: 0 });
    });

    test('what its policy does not allow it to receive is refused', async () => {
      const clientId = name('device');
      const device = await connectAtPeer(clientId);
      expect(await expectReason({ clientId, topic: 'secret/x' }, 'RECEIVER_NOT_AUTHORIZED')).toBeLessThan(AT_ONCE_MS);
      expect(await silent(device, 200)).toBe(true);
    });

    test('a client that is at neither node is not waited for', async () => {
      expect(await expectReason({ clientId: name('nobody') }, 'CLIENT_NOT_CONNECTED')).toBeLessThan(AT_ONCE_MS);
    });

    test('a session without a connection is told from no session', async () => {
      const clientId = name('device');
      const device = await connectAtPeer(clientId, SESSION);
      await device.endAsync();
      await until(async () => (await bench().rest('GET', `/clients/${clientId}`))['connected'] === false);
      expect(await expectReason({ clientId }, 'CLIENT_OFFLINE_WITH_SESSION')).toBeLessThan(AT_ONCE_MS);
      expect(await silent(await connect(clientId, SESSION, peer().mqttUrl))).toBe(true);
    });

    test('silence ends at the timeout of the message', async () => {
      const clientId = name('device');
      await connectAtPeer(clientId, MUTE);
      const elapsed = await expectReason({ clientId, timeout: 1 }, 'PUBACK_TIMEOUT');
      expect(elapsed).toBeGreaterThanOrEqual(990);
      expect(elapsed).toBeLessThan(1_000 + AT_ONCE_MS);
    });

    test('a device that leaves before it acknowledged is told at once', async () => {
      const clientId = name('device');
      const device = await connectAtPeer(clientId, MUTE);
      const received = onceReceived(device, 'packetreceive');
      const answered = expectReason({ clientId }, 'RECEIVER_DISCONNECTED');
      await received;
      device.stream.destroy();
      expect(await answered).toBeLessThan(AT_ONCE_MS);
    });

    test('a device that moves is found where it is', async () => {
      const clientId = name('device');
      const got: string[] = [];
      const note = (client: MqttClient, where: string) =>
        client.on('message', (_topic, payload) => got.push(`${payload.toString()} ${where}`));
      note(await connect(clientId), 'first');
      await expectReason({ clientId, payload: 'one' }, 'DELIVERED');
      note(await connectAtPeer(clientId), 'peer');
      await expectReason({ clientId, payload: 'two' }, 'DELIVERED');
      note(await connect(clientId), 'first');
      await until(() => isAt('first', clientId));
      await expectReason({ clientId, payload: 'three' }, 'DELIVERED');
      expect(got).toEqual(['one first', 'two peer', 'three first']);
    });

    test('a session that moves takes the message along, and is confirmed where it is then', async () => {
      const clientId = name('device');
      const onFirst = onceReceived(await connect(clientId, { ...SESSION, ...MUTE }), 'packetreceive');
      const answered = expectReason({ clientId }, 'DELIVERED');
      await onFirst;
      await connect(clientId, SESSION, peer().mqttUrl);
      expect(await answered).toBeLessThan(AT_ONCE_MS);
    });

    test('what is larger than its Maximum Packet Size is refused', async () => {
      const clientId = name('device');
      const device = await connectAtPeer(clientId, { properties: { maximumPacketSize: 200 } });
      const large = { clientId, payload: Buffer.alloc(1_000) };
      expect(await expectReason(large, 'PAYLOAD_TOO_LARGE')).toBeLessThan(AT_ONCE_MS);
      const received = onceReceived(device);
      await expectReason({ clientId, payload: 'small' }, 'DELIVERED');
      expect((await received).payload.toString()).toBe('small');
    });

    test('the order of messages of one sender is kept', async () => {
      const clientId = name('device');
      const device = await connectAtPeer(clientId);
      const got: string[] = [];
      device.on('message', (_topic, payload) => got.push(payload.toString()));
      const payloads = Array.from({ length: 30 }, (_, index) => String(index));
      const answers: unknown[] = [];
      // Requests of HTTP have no order among each other but that in which they are waited for.
      for (const payload of payloads) {
        const answer = ledger.send(door(), { clientId, payload, timeout: LONG });
        answers.push(door().name === 'HTTP' ? await answer : answer);
      }
      expect(await Promise.all(answers)).toEqual(payloads.map(() => door().answerOf('DELIVERED')));
      expect(got).toEqual(payloads);
    });
  });

  test('what a sender at the other node sends is answered there, and told to the service', async () => {
    const [here, there] = [name('device'), name('device')];
    await connect(here);
    await connectAtPeer(there);
    await until(() => isAt('first', here));
    await ledger.expect(mqttOfPeer, { clientId: here }, 'DELIVERED');
    await ledger.expect(mqttOfPeer, { clientId: there }, 'DELIVERED');
    await ledger.expect(mqttOfPeer, { clientId: here, topic: 'secret/x' }, 'RECEIVER_NOT_AUTHORIZED');
    await ledger.expect(mqttOfPeer, { clientId: name('nobody') }, 'CLIENT_NOT_CONNECTED');
  });

  describe('when the other node dies', () => {
    const back = async () => {
      await peer().start?.();
      await until(() => linked(peer().mqttUrl), 60_000);
      mqttOfPeer = mqttDoor(await connectSender(peer().mqttUrl));
    };
    /** Until the first node has forgotten the devices of the other, they are told to have left just now. */
    const isForgotten = async (door: Door, clientId: string) => {
      const start = performance.now();
      const answer = await ledger.send(door, { clientId, timeout: LONG });
      expect(performance.now() - start).toBeLessThan(AT_ONCE_MS);
      const [left, absent] = [door.answerOf('RECEIVER_DISCONNECTED'), door.answerOf('CLIENT_NOT_CONNECTED')];
      expect([left, absent]).toContainEqual(answer);
      return isDeepStrictEqual(answer, absent);
    };

    testIf(canKillPeer, 'no commands that kill and start the second node')(
      'its devices are told gone at once, the rest goes on, and it comes back without a restart of the service',
      async () => {
        const staying = name('device');
        await connect(staying);
        const dying = new Map([http, mqtt].map((door) => [door, name('device')]));
        const pending: Promise<number>[] = [];
        for (const [door, clientId] of dying) {
          const received = onceReceived(await connectAtPeer(clientId, MUTE), 'packetreceive');
          pending.push(ledger.expect(door, { clientId, timeout: LONG }, 'RECEIVER_DISCONNECTED'));
          await received;
        }
        // The service sends through the node with the fewest messages on their way: this one goes by the other.
        const held = name('device');
        const received = onceReceived(await connect(held, MUTE), 'packetreceive');
        pending.push(ledger.expect(http, { clientId: held, timeout: LONG }, 'BROKER_UNAVAILABLE'));
        await received;
        const start = performance.now();
        await peer().kill?.();
        try {
          await Promise.all(pending);
          expect(performance.now() - start).toBeLessThan(AT_ONCE_MS);
          await until(() => !linked(peer().mqttUrl));
          for (const [door, clientId] of dying) {
            await ledger.expect(door, { clientId: staying }, 'DELIVERED');
            await until(() => isForgotten(door, clientId));
          }
        } finally {
          await back();
        }
        for (const clientId of dying.values()) {
          await connectAtPeer(clientId);
          for (const door of [http, mqtt, mqttOfPeer]) await ledger.expect(door, { clientId }, 'DELIVERED');
        }
      },
      180_000,
    );

    testIf(canKillPeer, 'no commands that kill and start the second node')(
      'under load, each request has one answer, and nothing is called delivered that was not',
      async () => {
        const load = await Load.start(bench(), [bench().emqx.mqttUrl, peer().mqttUrl]);
        try {
          await load.delivered(100);
          await peer().kill?.();
          await load.delivered(100);
        } finally {
          await back();
        }
        await load.delivered(100);
        const { violations, statuses } = await load.stop();
        expect(violations).toEqual([]);
        expect(statuses[200]).toBeGreaterThanOrEqual(300);
      },
      180_000,
    );
  });
});
