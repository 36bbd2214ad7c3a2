import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient, type Packet } from 'mqtt';
import { CONTROL_TIMEOUT } from '../../direct/controls.js';
import { formatDirectTopic } from '../../direct/topic.js';
import { PubackCode } from '../../reasons.js';
import { gatherWrites, isGathering, joinWrites } from '../gather-writes.js';

/**
 * `ready`: a direct message to this connection's own client ID came back and was confirmed.
 * `pluginMissing`: the broker answers, but delivers no direct messages. `refused`: the broker does not let the service's
 * user connect or publish to `$dm/#`. `down`: no connection; it is being tried again.
 */
export type ConnectionState = 'down' | 'ready' | 'pluginMissing' | 'refused';

export interface ConnectionOptions {
  readonly url: string;
  readonly username: string;
  readonly password?: string;
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly onState: (state: ConnectionState, details: string) => void;
  /** A place in the window became free, or the connection became ready. */
  readonly onFree: () => void;
}

type PublishProperties = NonNullable<IPublishPacket['properties']>;
/** The PUBACK reason code, or that the connection was lost before it. */
export type Answer = number | 'lost';

const CONNECT_TIMEOUT_MS = 5_000;
const PROBE_TIMEOUT_MS = 3_000;
const PROBE_TOPIC = 'tightbeam/probe';
const REPROBE_MS = 5_000;
/** Longer than any message lives. */
const RETIRE_MS = 16_000;
const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 10_000;
/** Packet Identifiers are 16 bits and not zero (MQTT 5, section 2.2.1); also the default Receive Maximum (3.2.2.3.3). */
const MAX_WINDOW = 65_535;

/**
 * One MQTT 5 connection of the service's own user, connected again (exponential backoff, full jitter) until closed.
 *
 * A lost connection answers everything in flight with `lost` and starts with a new session: nothing is sent twice.
 * In flight are never more messages than the broker's Receive Maximum allows (MQTT 5, section 3.3.4).
 */
export class BrokerConnection {
  readonly clientId = `tightbeam-${randomBytes(6).toString('hex')}`;
  #client: MqttClient | undefined;
  #state: ConnectionState = 'down';
  #window = MAX_WINDOW;
  #attempts = 0;
  #closed = false;
  #retry: NodeJS.Timeout | undefined;
  #probeEchoed = false;
  /** By Packet Identifier; taken out by whoever answers first. */
  readonly #pending = new Map<number, (answer: Answer) => void>();

  constructor(private readonly options: ConnectionOptions) {
    this.#connect();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get inFlight(): number {
    return this.#pending.size;
  }

  /** Messages that may still be sent before an answer has to come. */
  get free(): number {
    return this.#state === 'ready' ? this.#window - this.#pending.size : 0;
  }

  /** Whether a message is about to be sent, so that another one would go along with it. */
  get gathering(): boolean {
    return this.#client !== undefined && isGathering(this.#client.stream);
  }

  /** Publishes at QoS 1 and settles with the answer; call only while `free` is more than 0. */
  publish(topic: string, payload: Uint8Array, properties: PublishProperties): Promise<Answer> {
    return new Promise((resolve) => {
      const client = this.#client;
      if (!client?.connected) {
        resolve('lost');
        return;
      }
      const body = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
      gatherWrites(client.stream);
      client.publish(topic, body, { qos: 1, properties }, ignoreOutcome);
      // MQTT.js tells its callback nothing of codes below 0x80, so the answer is read from the PUBACK itself.
      this.#pending.set(client.getLastMessageId(), resolve);
    });
  }

  /**
   * Takes no more messages and starts anew as soon as what is in flight is answered. For a broker that owes an answer
   * past every deadline: its Packet Identifiers would fill the window for ever.
   */
  retire(): void {
    const client = this.#client;
    if (!client || this.#state === 'down') return;
    this.#become('down', 'the broker owes the answer to a message');
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => client.end(true), RETIRE_MS).unref();
  }

  /** Leaves in peace (DISCONNECT); what is still in flight is answered `lost`. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    const client = this.#client;
    // MQTT.js would wait for the PUBACKs of what is in flight.
    const force = !client?.connected || this.#pending.size > 0;
    this.#lose(client);
    await client?.endAsync(force);
  }

  #connect(): void {
    const { url, username, password, tls } = this.options;
    const options: IClientOptions = {
      ...tls,
      protocolVersion: 5,
      clientId: this.clientId,
      username,
      ...(password === undefined ? {} : { password }),
      clean: true,
      keepalive: 15,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
    };
    const client = mqtt.connect(url, options);
    this.#client = client;
    let details = 'connection closed';
    client.on('error', (error) => {
      details = error.message || String(error);
    });
    client.on('connect', ({ properties }) => {
      // MQTT.js leaves Nagle's algorithm on: a message would wait for the broker's delayed ACK of the one before.
      const stream: unknown = client.stream;
      if (stream instanceof Socket) {
        stream.setNoDelay(true);
        joinWrites(stream);
      }
      this.#window = properties?.receiveMaximum ?? MAX_WINDOW;
      this.#attempts = 0;
      void this.#probe(client);
    });
    client.on('packetreceive', (packet) => {
      this.#receive(packet);
    });
    client.on('close', () => {
      this.#lose(client, details);
    });
  }

  #receive(packet: Packet): void {
    if (packet.cmd === 'publish') {
      this.#probeEchoed ||= packet.topic === PROBE_TOPIC;
      return;
    }
    if (packet.cmd !== 'puback' || packet.messageId === undefined) return;
    const resolve = this.#pending.get(packet.messageId);
    if (!resolve) return;
    this.#pending.delete(packet.messageId);
    const code = packet.reasonCode ?? PubackCode.Success;
    resolve(code);
    if (code === PubackCode.NoMatchingSubscribers && this.#state === 'ready') {
      this.#become('pluginMissing', 'the broker routed a direct message as an ordinary topic');
      if (this.#client) this.#probeLater(this.#client);
    }
    this.options.onFree();
  }

  /** Is there a plugin that delivers? Asked by a direct message to this connection itself. */
  async #probe(client: MqttClient): Promise<void> {
    this.#probeEchoed = false;
    const topic = formatDirectTopic({ targetClientId: this.clientId, topic: PROBE_TOPIC });
    const properties = { userProperties: { [CONTROL_TIMEOUT]: String(PROBE_TIMEOUT_MS - 500) } };
    const answer = await withDeadline(this.publish(topic, new Uint8Array(), properties), PROBE_TIMEOUT_MS);
    if (this.#client !== client || answer === 'lost') return;
    if (answer === PubackCode.Success && this.#hasEchoed()) {
      this.#become('ready', 'a direct message to its own client ID was delivered');
      this.options.onFree();
      return;
    }
    if (answer === PubackCode.NotAuthorized) {
      this.#become('refused', `the broker does not let ${this.options.username} publish to $dm/#`);
    } else {
      this.#become('pluginMissing', `a direct message to its own client ID was ${describeProbe(answer)}`);
    }
    this.#probeLater(client);
  }

  /** Set by the packet that arrived while the probe was waited for. */
  #hasEchoed(): boolean {
    return this.#probeEchoed;
  }

  #probeLater(client: MqttClient): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#probe(client), REPROBE_MS).unref();
  }

  #lose(client: MqttClient | undefined, details = 'closed'): void {
    if (client !== this.#client) return;
    this.#client = undefined;
    clearTimeout(this.#retry);
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const resolve of lost) resolve('lost');
    this.#become('down', details);
    if (this.#closed) return;
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.#attempts++);
    this.#retry = setTimeout(() => {
      this.#connect();
    }, Math.random() * ceiling);
  }

  #become(state: ConnectionState, details: string): void {
    const changed = this.#state !== state || (state === 'down' && this.#attempts === 0);
    this.#state = state;
    if (changed) this.options.onState(state, details);
  }
}

function ignoreOutcome(): void {
  // The PUBACK itself, or the loss of the connection, has answered already.
}

function describeProbe(answer: number | 'overdue'): string {
  if (answer === 'overdue') return 'not answered';
  if (answer === PubackCode.NoMatchingSubscribers) return 'routed as an ordinary topic';
  return `answered with 0x${answer.toString(16).padStart(2, '0')}`;
}

async function withDeadline<T>(answer: Promise<T>, timeoutMs: number): Promise<T | 'overdue'> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<'overdue'>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, 'overdue');
  });
  try {
    return await Promise.race([answer, overdue]);
  } finally {
    clearTimeout(timer);
  }
}
