import { randomUUID } from 'node:crypto';
import { connect as connectSocket } from 'node:net';
import mqtt, { type IClientOptions, type IConnackPacket, type MqttClient } from 'mqtt';
import type { Config } from '../../../config/schema.js';
import { readTls } from '../../link/tls.js';
import { brokerAddress, type BrokerAddress } from '../broker-address.js';
import { dialBroker } from '../dial.js';
import { readRetained } from '../retained.js';

/** What the broker itself says and does. */
export interface BrokerFacts {
  /** In its own words, where it has them. */
  readonly version: string | undefined;
  /** Messages of QoS 1 and 2 that it takes from one client at a time. */
  readonly receiveMaximum: number;
  /** Whether it lets in who shows nothing. */
  readonly takesAnybody: boolean;
  /** Milliseconds that the second of two messages took that were sent at once; undefined where it could not be tried. */
  readonly secondMessageMs: number | undefined;
  readonly isSocket: boolean;
}

/** Receive Maximum of a broker that names none (MQTT 5, section 3.2.2.3.3). */
const MOST = 65_535;
/** Pairs of messages; the first ones do not count, for systems acknowledge the first packets of a connection at once. */
const PAIRS = 24;
const COUNTED = 8;

/** Rejects where the broker does not take the service's user. */
export async function askBroker(
  { urls, username, password, tls }: Config['broker'],
  timeoutMs: number,
): Promise<BrokerFacts> {
  const address = brokerAddress(urls[0] as string, readTls(tls));
  const login = { username, ...(password !== undefined && { password }) };
  const { client, connack } = await open(address, login, timeoutMs);
  try {
    const version = await readRetained('$SYS/broker/version', {
      ...login,
      dial: () => dialBroker(address),
      timeoutMs,
    }).catch(() => undefined);
    return {
      version: version && Buffer.from(version.payload).toString(),
      receiveMaximum: connack.properties?.receiveMaximum ?? MOST,
      takesAnybody: await takesAnybody(address, timeoutMs),
      secondMessageMs: await secondMessage(client, timeoutMs),
      isSocket: address.kind === 'unix',
    };
  } finally {
    client.end(true);
  }
}

/** Whether something takes connections there. */
export function answers(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket({ host, port, timeout: timeoutMs });
    const settle = (is: boolean) => () => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', settle(true)).once('error', settle(false)).once('timeout', settle(false));
  });
}

async function open(
  address: BrokerAddress,
  login: Pick<IClientOptions, 'username' | 'password'>,
  timeoutMs: number,
): Promise<{ client: MqttClient; connack: IConnackPacket }> {
  const client = new mqtt.MqttClient(() => dialBroker(address), {
    protocolVersion: 5,
    clientId: `tightbeam-doctor-${randomUUID()}`,
    reconnectPeriod: 0,
    connectTimeout: timeoutMs,
    ...login,
  });
  try {
    const connack = await new Promise<IConnackPacket>((resolve, reject) => {
      client.once('connect', resolve);
      client.once('error', reject);
      client.once('close', () => {
        reject(new Error('it closes the connection'));
      });
    });
    client.on('error', () => undefined);
    return { client, connack };
  } catch (error) {
    client.on('error', () => undefined);
    client.end(true);
    throw error;
  }
}

async function takesAnybody(address: BrokerAddress, timeoutMs: number): Promise<boolean> {
  try {
    const { client } = await open(address, {}, timeoutMs);
    client.end(true);
    return true;
  } catch {
    return false;
  }
}

/** The median of the last pairs. */
async function secondMessage(client: MqttClient, timeoutMs: number): Promise<number | undefined> {
  const topic = `tightbeam/doctor/${randomUUID()}`;
  const [granted] = await client.subscribeAsync(topic, { qos: 0 }).catch(() => []);
  if (granted === undefined || granted.qos > 2) return undefined;
  const took: number[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    const milliseconds = await onePair(client, topic, timeoutMs);
    if (milliseconds === undefined) return undefined;
    took.push(milliseconds);
  }
  return took.slice(-COUNTED).sort((one, other) => one - other)[COUNTED / 2];
}

function onePair(client: MqttClient, topic: string, timeoutMs: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const since = performance.now();
    let heard = 0;
    const settle = (milliseconds: number | undefined): void => {
      clearTimeout(timer);
      client.off('message', hear);
      resolve(milliseconds);
    };
    const timer = setTimeout(() => {
      settle(undefined);
    }, timeoutMs);
    const hear = (): void => {
      heard += 1;
      if (heard === 2) settle(performance.now() - since);
    };
    client.on('message', hear);
    client.publish(topic, '1');
    client.publish(topic, '2');
  });
}
