import { randomBytes } from 'node:crypto';
import { HttpConnections, signedRequest } from '../rig/http-client.js';
import { MqttClient, type Login } from '../rig/mqtt-client.js';
import type { Rig } from '../rig/rig.js';
import { ACKNOWLEDGEMENTS, BACKEND } from '../rig/setting.js';

/** A way to bring one message to one device and to know that it is there. */
export interface Way {
  readonly name: string;
  /** Before so many slots begin. */
  prepare?(slots: number): Promise<void>;
  /** Sends the next message of one of the senders that work at the same time; resolves when it is confirmed. */
  send(slot: number): Promise<void>;
  close(): Promise<void>;
}

const TOPIC = 'cmd/open';
const PAYLOAD = JSON.stringify({ command: 'open', door: 'front', seconds: 30, reason: 'a delivery at the front door' });
/** Of one backend, whose messages are spread over them. */
const BACKEND_CONNECTIONS = 4;

/**
 * `POST /connections/{clientId}/messages?confirmation=true`, one connection a slot, spread over the ports, signed
 * beforehand.
 */
export function overHttp(name: string, rig: Rig, ports: readonly number[]): Way {
  return overSigned(name, rig, ports, undefined);
}

/** `POST /connections/{clientId}/requests`, the same way: the answer of the device is in that of the service. */
export function overRequests(name: string, rig: Rig, ports: readonly number[]): Way {
  return overSigned(name, rig, ports, `${ACKNOWLEDGEMENTS}/${randomBytes(4).toString('hex')}`);
}

function overSigned(name: string, rig: Rig, ports: readonly number[], responseTopic: string | undefined): Way {
  const { devices } = rig.setting;
  const connections = new HttpConnections();
  let requests: readonly Buffer[] = [];
  return {
    name,
    // Anew each time: signatures expire.
    async prepare(slots) {
      await connections.open(slots, ports);
      requests = await Promise.all(
        Array.from({ length: slots }, (_, slot) =>
          signedRequest(pick(ports, slot), {
            clientId: pick(devices, slot),
            topic: TOPIC,
            payload: PAYLOAD,
            ...(responseTopic !== undefined && { responseTopic }),
          }),
        ),
      );
    },
    async send(slot) {
      const status = await connections.request(slot, pick(requests, slot));
      if (status !== 200) throw new Error(`${name}: HTTP status ${status}`);
    },
    close() {
      connections.close();
      return Promise.resolve();
    },
  };
}

/** PUBLISH to `$dm/{clientId}/{topic}` at QoS 1, whose PUBACK is the device's. */
export async function overDirectTopic(name: string, rig: Rig, user: Omit<Login, 'clientId'>): Promise<Way> {
  const { devices } = rig.setting;
  const backend = await connectBackend(rig, user);
  const payload = Buffer.from(PAYLOAD);
  return {
    name,
    async send(slot) {
      const code = await pick(backend, slot).publish(`$dm/${pick(devices, slot)}/${TOPIC}`, payload);
      if (code !== 0) throw new Error(`${name}: reason code ${code}`);
    },
    close: () => closeAll(backend),
  };
}

/**
 * The usual way: PUBLISH at QoS 1 to a topic of the device, which has subscribed to it and publishes to the Response
 * Topic with the Correlation Data of the command.
 */
export async function overTopics(name: string, rig: Rig, devices: Devices, acknowledgeAt: 0 | 1): Promise<Way> {
  const backend = await connectBackend(rig, { username: BACKEND, password: rig.setting.password });
  const waiting = new Map<string, () => void>();
  const addresses: string[] = [];
  for (const client of backend) {
    const address = `${ACKNOWLEDGEMENTS}/${randomBytes(4).toString('hex')}`;
    addresses.push(address);
    await client.subscribe(address);
    client.onPublish = (packet) => {
      if (packet.qos === 1) client.acknowledge(packet);
      const correlation = packet.properties?.correlationData?.toString('latin1') ?? '';
      waiting.get(correlation)?.();
      waiting.delete(correlation);
    };
  }
  const payload = Buffer.from(PAYLOAD);
  let count = 0;
  return {
    name,
    async send(slot) {
      devices.acknowledgeAt = acknowledgeAt;
      const correlation = String(++count);
      const properties = { responseTopic: pick(addresses, slot), correlationData: Buffer.from(correlation, 'latin1') };
      const confirmed = new Promise<void>((resolve) => {
        waiting.set(correlation, resolve);
      });
      const topic = `devices/${pick(rig.setting.devices, slot)}/${TOPIC}`;
      const code = await pick(backend, slot).publish(topic, payload, properties);
      if (code !== 0) throw new Error(`${name}: reason code ${code}`);
      await confirmed;
    },
    close: () => closeAll(backend),
  };
}

/** Devices that do both: acknowledge every message, and where it names a Response Topic, answer there. */
export class Devices {
  acknowledgeAt: 0 | 1 = 1;
  readonly #clients: MqttClient[] = [];

  async connect({ setting, ports }: Rig): Promise<void> {
    for (const clientId of setting.devices) {
      const login = { clientId, username: clientId, password: setting.password };
      const client = await MqttClient.connectAgain(ports.mqtt, login);
      this.#clients.push(client);
      client.onPublish = (packet) => {
        client.acknowledge(packet);
        const { responseTopic, correlationData } = packet.properties ?? {};
        if (responseTopic === undefined || correlationData === undefined) return;
        if (this.acknowledgeAt === 1) {
          void client.publish(responseTopic, Buffer.alloc(0), { correlationData });
        } else {
          const quick = { qos: 0, retain: false, dup: false, payload: Buffer.alloc(0) } as const;
          client.send({ cmd: 'publish', topic: responseTopic, ...quick, properties: { correlationData } });
        }
      };
      await client.subscribe(`devices/${clientId}/${TOPIC}`);
    }
  }

  close(): Promise<void> {
    return closeAll(this.#clients);
  }
}

function connectBackend({ ports }: Rig, user: Omit<Login, 'clientId'>): Promise<MqttClient[]> {
  const clients = Array.from({ length: BACKEND_CONNECTIONS }, () =>
    MqttClient.connect(ports.mqtt, { ...user, clientId: `backend-${randomBytes(6).toString('hex')}` }),
  );
  return Promise.all(clients);
}

async function closeAll(clients: readonly MqttClient[]): Promise<void> {
  await Promise.all(clients.map((client) => client.end()));
}

function pick<T>(items: readonly T[], index: number): T {
  return items[index % items.length] as T;
}
