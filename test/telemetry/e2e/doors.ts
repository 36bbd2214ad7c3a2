import type { IClientOptions, MqttClient } from 'mqtt';
import { REASONS, type Reason } from '../../../src/reasons.js';
import { send, type RawClient } from '../../brokers/embedded/harness.js';
import { call, exchange, openSocket, readAnswer, sign, type Sent, type Signing } from '../../http/support.js';

/** What a reason is brought about in. */
export interface Provoked {
  /** Of the data-plane API. */
  readonly port: number;
  /** Of a caller of it. */
  readonly credentials: NonNullable<Signing['credentials']>;
  readonly broker: {
    connect(clientId: string, options?: IClientOptions): Promise<MqttClient>;
    raw(clientId: string): Promise<RawClient>;
    readonly pendingMessages: number;
  };
  /** Set, the broker is not asked: this is what became of the message. Absent where nothing may be pretended. */
  readonly pretend?: { reason?: Reason };
}

/** How a reason is brought about, with a client ID that nobody else uses. */
export type Provoke = (service: Provoked, clientId: string) => Promise<unknown>;

const path = (clientId: string, what = 'messages') => `/connections/${encodeURIComponent(clientId)}/${what}`;

export function post(
  service: Provoked,
  clientId: string,
  query: Record<string, string> = {},
  sent: Partial<Sent> = {},
) {
  const request = {
    path: path(clientId),
    query: { topic: 'commands/open', confirmation: 'true', ...query },
    body: 'open',
    ...sent,
  };
  return call(service.port, request, { credentials: service.credentials });
}

/** A request, answered on a topic that the device may publish on. */
function ask(service: Provoked, clientId: string, query: Record<string, string> = {}) {
  const all = { topic: 'commands/open', responseTopic: `answers/${clientId}`, ...query };
  const request = { path: path(clientId, 'requests'), query: all, body: 'open' };
  return call(service.port, request, { credentials: service.credentials });
}

/** A device that acknowledges, and answers requests so. */
async function answering(service: Provoked, clientId: string, payload: string): Promise<MqttClient> {
  const device = await online(service, clientId);
  device.on('message', (_topic, _payload, { properties: { responseTopic, correlationData } = {} }) => {
    if (responseTopic === undefined || correlationData === undefined) return;
    device.publish(responseTopic, payload, { properties: { correlationData } });
  });
  return device;
}

/** A device that acknowledges. */
async function online(service: Provoked, clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
  return service.broker.connect(clientId, options);
}

/** A device that is offline and has a session. */
async function offline(service: Provoked, clientId: string): Promise<void> {
  const device = await service.broker.connect(clientId, { clean: false, properties: { sessionExpiryInterval: 100 } });
  await device.endAsync();
}

/** A device that never acknowledges, with one message in its window of one. */
async function stuffed(service: Provoked, clientId: string, fill: () => Promise<unknown>) {
  const device = await service.broker.raw(clientId);
  const first = fill();
  await device.next('publish');
  return { device, first };
}

/** A device that refuses the message. */
async function rejected(service: Provoked, clientId: string, sent: () => Promise<unknown>): Promise<void> {
  const device = await service.broker.raw(clientId);
  const answered = sent();
  device.acknowledge(await device.next('publish'), 0x97);
  await answered;
}

/** A device whose window and queue, of one message each, are full. Answers how to end it. */
async function full(service: Provoked, clientId: string, fill: () => Promise<unknown>) {
  const { device, first } = await stuffed(service, clientId, fill);
  const second = fill();
  // One message waits in the window and one in the queue.
  while (service.broker.pendingMessages < 2) await new Promise(setImmediate);
  return async () => {
    device.destroy();
    await Promise.all([first, second]);
  };
}

/** Of the shape of a token; nobody comes so far as to look at its signature. */
const TOKEN = [{ alg: 'ES256' }, {}, {}]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.');

const pretending =
  (reason: Reason): Provoke =>
  async (service, clientId) => {
    if (service.pretend === undefined) throw new Error(`${reason} can only be pretended.`);
    service.pretend.reason = reason;
    try {
      await post(service, clientId);
    } finally {
      delete service.pretend.reason;
    }
  };

const throughHttp: Partial<Record<Reason, Provoke>> = {
  DELIVERED: async (service, clientId) => {
    await online(service, clientId);
    await post(service, clientId);
  },
  DISPATCHED: async (service, clientId) => {
    await online(service, clientId);
    await post(service, clientId, { confirmation: 'false' });
  },
  INVALID_CLIENT_ID: (service) => post(service, '$nobody'),
  INVALID_TOPIC: (service, clientId) => post(service, clientId, { topic: 'a/+' }),
  RESERVED_TOPIC: (service, clientId) => post(service, clientId, { topic: '$SYS/a' }),
  INVALID_PARAMETER: (service, clientId) => post(service, clientId, { timeout: 'abc' }),
  MISSING_CREDENTIALS: ({ port }, clientId) => exchange(port, { path: path(clientId), query: { topic: 't' } }),
  CALLER_KEYS_UNAVAILABLE: ({ port }, clientId) =>
    exchange(port, { path: path(clientId), query: { topic: 't' }, headers: { authorization: `Bearer ${TOKEN}` } }),
  INVALID_CREDENTIALS: async ({ port, credentials }, clientId) => {
    const signed = await sign(port, { path: path(clientId), query: { topic: 't' }, body: 'a' }, { credentials });
    await exchange(port, { ...signed, body: 'b' });
  },
  EXPIRED_SIGNATURE: async ({ port, credentials }, clientId) => {
    await call(
      port,
      { path: path(clientId), query: { topic: 't' } },
      { credentials, signingDate: new Date(Date.now() - 3_600_000) },
    );
  },
  SENDER_NOT_AUTHORIZED: (service, clientId) => post(service, `vault-${clientId}`),
  RECEIVER_NOT_AUTHORIZED: async (service, clientId) => {
    await online(service, clientId);
    await post(service, clientId, { topic: 'unheard/open' });
  },
  CLIENT_NOT_CONNECTED: (service, clientId) => post(service, clientId),
  CLIENT_OFFLINE_WITH_SESSION: async (service, clientId) => {
    await offline(service, clientId);
    await post(service, clientId);
  },
  UNKNOWN_OPERATION: ({ port, credentials }) => call(port, { path: '/things' }, { credentials }),
  METHOD_NOT_ALLOWED: ({ port, credentials }, clientId) =>
    call(port, { method: 'PUT', path: path(clientId) }, { credentials }),
  INVALID_REQUEST: async ({ port }) => {
    const socket = await openSocket(port);
    socket.end('nonsense\r\n\r\n');
    await readAnswer(socket);
  },
  PAYLOAD_TOO_LARGE: (service, clientId) => post(service, clientId, {}, { body: Buffer.alloc(131_073) }),
  RECEIVER_THROTTLED: async (service, clientId) => {
    const end = await full(service, clientId, () => post(service, clientId, { topic: 'before' }));
    await post(service, clientId);
    await end();
  },
  PUBACK_TIMEOUT: async (service, clientId) => {
    await service.broker.raw(clientId);
    await post(service, clientId, { timeout: '1' });
  },
  RECEIVER_DISCONNECTED: async (service, clientId) => {
    const { device, first } = await stuffed(service, clientId, () => post(service, clientId));
    device.destroy();
    await first;
  },
  RECEIVER_REJECTED: (service, clientId) => rejected(service, clientId, () => post(service, clientId)),
  IDEMPOTENCY_KEY_REUSED: async (service, clientId) => {
    await online(service, clientId);
    for (const topic of ['before', 'commands/open']) {
      await post(service, clientId, { topic }, { headers: { 'idempotency-key': '1' } });
    }
  },
  ANSWERED: async (service, clientId) => {
    await answering(service, clientId, 'open');
    await ask(service, clientId);
  },
  ACKNOWLEDGED_NOT_ANSWERED: async (service, clientId) => {
    await online(service, clientId);
    await ask(service, clientId, { timeout: '1' });
  },
  RESPONSE_TOO_LARGE: async (service, clientId) => {
    await answering(service, clientId, 'x'.repeat(131_073));
    await ask(service, clientId);
  },
  ACCOUNT_THROTTLED: pretending('ACCOUNT_THROTTLED'),
  BROKER_UNAVAILABLE: pretending('BROKER_UNAVAILABLE'),
  DELIVERY_PLUGIN_MISSING: pretending('DELIVERY_PLUGIN_MISSING'),
  INTERNAL_ERROR: pretending('INTERNAL_ERROR'),
};

let senders = 0;

/** Publishes to the direct topic of the client, as a client with an ID of its own. */
async function publish(
  service: Provoked,
  clientId: string,
  topic = 'commands/open',
  properties: Record<string, string> = {},
  payload: string | Buffer = 'open',
) {
  const sender = await service.broker.connect(`sender-${(senders += 1)}`);
  await send(
    sender,
    `$dm/${encodeURIComponent(clientId)}/${topic}`,
    Object.keys(properties).length === 0 ? {} : { userProperties: properties },
    payload,
  ).catch(() => undefined);
}

const throughMqtt: Partial<Record<Reason, Provoke>> = {
  DELIVERED: async (service, clientId) => {
    await online(service, clientId);
    await publish(service, clientId);
  },
  DISPATCHED: async (service, clientId) => {
    await online(service, clientId);
    await publish(service, clientId, 'commands/open', { 'dm-qos': '0' });
  },
  INVALID_CLIENT_ID: (service) => publish(service, '$nobody'),
  INVALID_TOPIC: (service, clientId) => publish(service, clientId, 'a/'.repeat(9)),
  RESERVED_TOPIC: (service, clientId) => publish(service, clientId, '$SYS/a'),
  INVALID_PARAMETER: (service, clientId) => publish(service, clientId, 'a', { 'dm-timeout-ms': 'abc' }),
  SENDER_NOT_AUTHORIZED: (service, clientId) => publish(service, `vault-${clientId}`),
  RECEIVER_NOT_AUTHORIZED: async (service, clientId) => {
    await online(service, clientId);
    await publish(service, clientId, 'unheard/open');
  },
  CLIENT_NOT_CONNECTED: (service, clientId) => publish(service, clientId),
  CLIENT_OFFLINE_WITH_SESSION: async (service, clientId) => {
    await offline(service, clientId);
    await publish(service, clientId);
  },
  PAYLOAD_TOO_LARGE: async (service, clientId) => {
    await online(service, clientId);
    await publish(service, clientId, 'commands/open', {}, Buffer.alloc(131_073));
  },
  RECEIVER_THROTTLED: async (service, clientId) => {
    const end = await full(service, clientId, () => publish(service, clientId, 'before'));
    await publish(service, clientId);
    await end();
  },
  PUBACK_TIMEOUT: async (service, clientId) => {
    await service.broker.raw(clientId);
    await publish(service, clientId, 'commands/open', { 'dm-timeout-ms': '200' });
  },
  RECEIVER_DISCONNECTED: async (service, clientId) => {
    const { device, first } = await stuffed(service, clientId, () => publish(service, clientId));
    device.destroy();
    await first;
  },
  RECEIVER_REJECTED: (service, clientId) => rejected(service, clientId, () => publish(service, clientId)),
  IDEMPOTENCY_KEY_REUSED: async (service, clientId) => {
    await online(service, clientId);
    const sender = await service.broker.connect(`sender-${(senders += 1)}`);
    for (const topic of ['before', 'commands/open']) {
      await send(sender, `$dm/${clientId}/${topic}`, { userProperties: { 'dm-id': '1' } }).catch(() => undefined);
    }
  },
};

/** Each reason that a door can answer, and how. */
export const DOORS: Readonly<Record<'HTTP' | 'MQTT', Partial<Record<Reason, Provoke>>>> = {
  HTTP: throughHttp,
  MQTT: throughMqtt,
};

/** Reasons that the table says a door can answer. */
export function reasonsOf(door: 'HTTP' | 'MQTT'): Reason[] {
  return (Object.keys(REASONS) as Reason[]).filter((reason) => (door === 'HTTP' ? 'http' : 'mqtt') in REASONS[reason]);
}
