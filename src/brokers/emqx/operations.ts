import { z } from 'zod';
import {
  BrokerFault,
  type BrokerOperations,
  type Connection,
  type DeleteHow,
  type RetainedMessage,
  type RetainedPage,
  type RetainedSummary,
  type Subscription,
} from '../../operations/broker.js';
import { EmqxApiError, type EmqxRest, unlessMissing } from './rest.js';

const Time = z.string().transform((text, context) => {
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) context.addIssue('not a time');
  return milliseconds;
});
const Qos = z.union([z.literal(0), z.literal(1), z.literal(2)]);
const ClientAnswer = z.object({
  clientid: z.string(),
  connected: z.boolean(),
  keepalive: z.number(),
  expiry_interval: z.number(),
  connected_at: Time,
  disconnected_at: Time.optional(),
  proto_ver: z.number().optional(),
  username: z.string().nullish(),
  inflight_cnt: z.number().optional(),
  mqueue_len: z.number().optional(),
  ip_address: z.string(),
  port: z.number(),
});
const SubscriptionsAnswer = z.array(z.object({ topic: z.string(), qos: Qos }));
const RetainedAnswer = z.object({ topic: z.string(), qos: Qos, publish_at: Time });
const RetainedDetail = RetainedAnswer.extend({ payload: z.base64().optional() });
const RetainedList = z.object({ data: z.array(RetainedAnswer), meta: z.object({ hasnext: z.boolean() }) });

/**
 * What the data-plane API asks of a broker, by EMQX's management API.
 *
 * EMQX tells neither why a client went away, nor the size and the user properties of retained messages. It ends a
 * session with its connection, and publishes the will of a client that it disconnects.
 */
export class EmqxOperations implements BrokerOperations {
  readonly #api: EmqxRest | undefined;

  /** Without access to the API every answer is NOT_SUPPORTED. */
  constructor(api: EmqxRest | undefined) {
    this.#api = api;
  }

  async getConnection(clientId: string): Promise<Connection | undefined> {
    const client = await this.#find(pathOf(clientId), ClientAnswer);
    if (client === undefined) return undefined;
    const { connected, disconnected_at: disconnectedSince } = client;
    return {
      clientId: client.clientid,
      connected,
      ...(client.proto_ver !== undefined && { protocolVersion: client.proto_ver }),
      ...(typeof client.username === 'string' && client.username !== '' && { username: client.username }),
      ...(client.inflight_cnt !== undefined && { inFlight: client.inflight_cnt }),
      ...(client.mqueue_len !== undefined && { waiting: client.mqueue_len }),
      cleanSession: client.expiry_interval === 0,
      keepAliveSeconds: client.keepalive,
      sessionExpirySeconds: client.expiry_interval,
      ...(connected
        ? { connectedSince: client.connected_at, socket: { sourceIp: client.ip_address, sourcePort: client.port } }
        : { ...(disconnectedSince !== undefined && { disconnectedSince }) }),
    };
  }

  async deleteConnection(connection: Connection, how: DeleteHow): Promise<boolean> {
    if (how.preventWill) {
      throw new BrokerFault('NOT_SUPPORTED', 'preventWillMessage: EMQX publishes the will of a client it disconnects.');
    }
    if (!how.cleanSession && !connection.cleanSession) {
      throw new BrokerFault('NOT_SUPPORTED', 'EMQX ends the session with the connection: ask with cleanSession=true.');
    }
    const kicked = this.#rest()
      .send('DELETE', pathOf(connection.clientId))
      .then(() => true);
    return (await answered(kicked)) ?? false;
  }

  async listSubscriptions(clientId: string): Promise<readonly Subscription[] | undefined> {
    const subscriptions = await this.#find(`${pathOf(clientId)}/subscriptions`, SubscriptionsAnswer);
    return subscriptions?.map(({ topic, qos }) => ({ topicFilter: topic, qos }));
  }

  async getRetainedMessage(topic: string): Promise<RetainedMessage | undefined> {
    const message = await this.#find(`/mqtt/retainer/message/${segmentOf(topic)}`, RetainedDetail);
    if (message === undefined) return undefined;
    // EMQX leaves payloads over 1 MiB out.
    if (message.payload === undefined)
      throw new BrokerFault('NOT_SUPPORTED', 'EMQX does not tell payloads over 1 MiB.');
    const payload = Buffer.from(message.payload, 'base64');
    return { ...summaryOf(message), payload, payloadBytes: payload.byteLength };
  }

  /**
   * By EMQX's numbered pages. Their size is that of the first one, and a message that is retained or removed between
   * two pages can move another across their border. Topics that start with `$` are left out.
   */
  async listRetainedMessages(limit: number, from?: string): Promise<RetainedPage> {
    const [, page = '1', size = String(limit)] = /^([1-9][0-9]{0,8}):([1-9][0-9]{0,2})$/.exec(from ?? '') ?? [];
    if (from !== undefined && from !== `${page}:${size}`) {
      throw new BrokerFault('INVALID_PARAMETER', 'nextToken is not that of a page before.');
    }
    const list = await this.#find(`/mqtt/retainer/messages?page=${page}&limit=${size}`, RetainedList);
    if (list === undefined) throw new BrokerFault('NOT_SUPPORTED', 'The retainer of EMQX is switched off.');
    const messages = list.data.filter(({ topic }) => !topic.startsWith('$')).map(summaryOf);
    return { messages, ...(list.meta.hasnext && { next: `${Number(page) + 1}:${size}` }) };
  }

  async #find<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
    return answered(this.#rest().get(path, schema));
  }

  #rest(): EmqxRest {
    if (this.#api !== undefined) return this.#api;
    throw new BrokerFault(
      'NOT_SUPPORTED',
      "The service has no access to EMQX's management API: the setting broker.api.",
    );
  }
}

/** The answer; undefined where there is no such thing. @throws BrokerFault where there is no answer to use. */
async function answered<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await unlessMissing(call);
  } catch (error) {
    if (!(error instanceof EmqxApiError)) throw error;
    // The retainer says 400 where its messages are not in the built-in database. The caller is told, and not of URLs.
    if (error.status === 400) throw new BrokerFault('NOT_SUPPORTED', `EMQX says ${error.said}`, { cause: error });
    throw new BrokerFault('BROKER_UNAVAILABLE', error.message, { cause: error });
  }
}

function pathOf(clientId: string): string {
  return `/clients/${segmentOf(clientId)}`;
}

/** One segment of a path. URLs cannot carry a dot segment: however encoded, it would lead to another resource. */
function segmentOf(text: string): string {
  if (text === '.' || text === '..') throw new BrokerFault('NOT_SUPPORTED', `EMQX's API cannot be asked about ${text}`);
  return encodeURIComponent(text);
}

function summaryOf({ topic, qos, publish_at }: z.output<typeof RetainedAnswer>): RetainedSummary {
  return { topic, qos, lastModified: publish_at };
}
