import type { IClientOptions } from 'mqtt';
import type { Reason } from '../../../src/reasons.js';
import { VERSION } from '../../../src/version.js';
import { call, exchange, sign, type Sent } from '../../http/support.js';
import { type Bench, ready, until } from './bench.js';
import { direct, onceReceived, publish } from './clients.js';

/** How a reason is brought about on a real EMQX, with a client ID that nobody else uses. */
type Provoke = (bench: Bench, clientId: string) => Promise<unknown>;
type Outcomes = Readonly<Partial<Record<Reason, Provoke>>>;

const MUTE: IClientOptions = { customHandleAcks: () => undefined };
const SESSION: IClientOptions = { clean: false, properties: { sessionExpiryInterval: 60 } };

function request(clientId: string, query: Record<string, string> = {}): Sent {
  const path = `/connections/${encodeURIComponent(clientId)}/messages`;
  return { path, query: { topic: 'cmd/open', confirmation: 'true', ...query }, body: 'open' };
}

function post({ service }: Bench, clientId: string, query?: Record<string, string>, sent: Partial<Sent> = {}) {
  return call(service.ports.http, { ...request(clientId, query), ...sent });
}

async function put(
  bench: Bench,
  clientId: string,
  topic = 'cmd/open',
  userProperties?: Record<string, string>,
  payload: string | Buffer = 'open',
) {
  const sender = await bench.connect(`sender-${Math.random().toString(36).slice(2)}`, {
    username: 'backend',
    password: 'backend',
  });
  const answer = await publish(
    sender,
    direct(clientId, topic),
    payload,
    userProperties && { properties: { userProperties } },
  );
  await sender.endAsync();
  return answer;
}

type Send = (bench: Bench, clientId: string, topic?: string) => Promise<unknown>;

const post1: Send = (bench, clientId, topic = 'cmd/open') => post(bench, clientId, { topic });

const online =
  (options: IClientOptions, provoke: Provoke): Provoke =>
  async (bench, clientId) => {
    const device = await bench.connect(clientId, options);
    await provoke(bench, clientId);
    await device.endAsync(true);
  };

/** Away, with a session; and the broker knows that it is away. */
async function leave(bench: Bench, clientId: string): Promise<void> {
  const device = await bench.connect(clientId, SESSION);
  await device.endAsync();
  await until(async () => (await bench.rest('GET', `/clients/${clientId}`))['connected'] === false);
}

/** The device's first message on its way, of which it never says that it has it. */
async function unacknowledged(bench: Bench, clientId: string, send: Send, options: IClientOptions = {}) {
  const device = await bench.connect(clientId, { ...MUTE, ...options });
  const received = onceReceived(device, 'packetreceive');
  const sent = send(bench, clientId, 'cmd/first');
  await received;
  return { device, sent };
}

const disconnected =
  (send: Send): Provoke =>
  async (bench, clientId) => {
    const { device, sent } = await unacknowledged(bench, clientId, send);
    device.stream.destroy();
    await sent;
  };

/** One message in the device's window, and one that finds no room in it until its deadline. */
const throttled =
  (send: Send): Provoke =>
  async (bench, clientId) => {
    const { device, sent } = await unacknowledged(bench, clientId, send, { properties: { receiveMaximum: 1 } });
    await send(bench, clientId, 'cmd/second');
    device.stream.destroy();
    await sent;
  };

const throughHttp: Outcomes = {
  DELIVERED: online({}, post1),
  DISPATCHED: online({}, (bench, clientId) => post(bench, clientId, { confirmation: 'false' })),
  INVALID_CLIENT_ID: (bench) => post(bench, '$nobody'),
  INVALID_TOPIC: (bench, clientId) => post(bench, clientId, { topic: 'a/+' }),
  RESERVED_TOPIC: (bench, clientId) => post(bench, clientId, { topic: '$SYS/a' }),
  INVALID_PARAMETER: (bench, clientId) => post(bench, clientId, { timeout: 'abc' }),
  MISSING_CREDENTIALS: ({ service }, clientId) => exchange(service.ports.http, request(clientId)),
  INVALID_CREDENTIALS: async ({ service }, clientId) => {
    const signed = await sign(service.ports.http, request(clientId));
    await exchange(service.ports.http, { ...signed, body: 'another' });
  },
  EXPIRED_SIGNATURE: ({ service }, clientId) =>
    call(service.ports.http, request(clientId), { signingDate: new Date(Date.now() - 3_600_000) }),
  SENDER_NOT_AUTHORIZED: (bench, clientId) => post(bench, clientId, { topic: 'forbidden/x' }),
  RECEIVER_NOT_AUTHORIZED: online({}, (bench, clientId) => post(bench, clientId, { topic: 'secret/x' })),
  CLIENT_NOT_CONNECTED: post1,
  CLIENT_OFFLINE_WITH_SESSION: async (bench, clientId) => {
    await leave(bench, clientId);
    await post(bench, clientId);
  },
  UNKNOWN_OPERATION: ({ service }) => call(service.ports.http, { path: '/things' }),
  METHOD_NOT_ALLOWED: ({ service }, clientId) => call(service.ports.http, { ...request(clientId), method: 'PUT' }),
  PAYLOAD_TOO_LARGE: online({ properties: { maximumPacketSize: 200 } }, (bench, clientId) =>
    post(bench, clientId, {}, { body: Buffer.alloc(1_000) }),
  ),
  RECEIVER_THROTTLED: throttled(post1),
  PUBACK_TIMEOUT: online(MUTE, (bench, clientId) => post(bench, clientId, { timeout: '1' })),
  RECEIVER_DISCONNECTED: disconnected(post1),
  DELIVERY_PLUGIN_MISSING: async (bench, clientId) => {
    const plugin = `tightbeam-${VERSION}`;
    await bench.api.stopPlugin(plugin);
    try {
      await post(bench, clientId);
    } finally {
      await bench.api.startPlugin(plugin);
      await ready(bench);
    }
  },
  BROKER_UNAVAILABLE: async (bench, clientId) => {
    await bench.rest('POST', '/listeners/tcp:default/stop');
    try {
      await until(() => !bench.service.broker.ready);
      await post(bench, clientId);
    } finally {
      await bench.rest('POST', '/listeners/tcp:default/start');
      await ready(bench);
    }
  },
};

const throughMqtt: Outcomes = {
  DELIVERED: online({}, put),
  DISPATCHED: online({}, (bench, clientId) => put(bench, clientId, 'cmd/open', { 'dm-qos': '0' })),
  INVALID_CLIENT_ID: (bench) => put(bench, '$nobody'),
  INVALID_TOPIC: (bench, clientId) => put(bench, clientId, 'a/'.repeat(9)),
  RESERVED_TOPIC: (bench, clientId) => put(bench, clientId, '$SYS/a'),
  INVALID_PARAMETER: (bench, clientId) => put(bench, clientId, 'a', { 'dm-timeout-ms': 'abc' }),
  SENDER_NOT_AUTHORIZED: (bench, clientId) => put(bench, clientId, 'forbidden/x'),
  RECEIVER_NOT_AUTHORIZED: online({}, (bench, clientId) => put(bench, clientId, 'secret/x')),
  CLIENT_NOT_CONNECTED: put,
  CLIENT_OFFLINE_WITH_SESSION: async (bench, clientId) => {
    await leave(bench, clientId);
    await put(bench, clientId);
  },
  PAYLOAD_TOO_LARGE: online({}, (bench, clientId) =>
    put(bench, clientId, 'cmd/open', undefined, Buffer.alloc(131_073)),
  ),
  RECEIVER_THROTTLED: throttled(put),
  PUBACK_TIMEOUT: online(MUTE, (bench, clientId) => put(bench, clientId, 'cmd/open', { 'dm-timeout-ms': '300' })),
  RECEIVER_DISCONNECTED: disconnected(put),
};

export const OUTCOMES = { HTTP: throughHttp, MQTT: throughMqtt } as const;
