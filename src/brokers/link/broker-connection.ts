import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import mqtt, { type IClientOptions, type MqttClient, type Packet } from 'mqtt';
import { PubackCode } from '../../reasons.js';
import type { ToldOutcome } from '../direct/outcome-message.js';
import type { Answer, Outgoing } from './answer.js';
import { gatherWrites, isGathering, joinWrites } from './gather-writes.js';
import { MAX_PACKET_ID, PacketIds } from './packet-ids.js';
import { publishBytes } from './packet-size.js';
import { awaitAnswer, type Pending } from './pending.js';
import { forMqttPacket } from './properties.js';
import type { ConnectionState, Purpose } from './purpose.js';

export interface ConnectionOptions {
  readonly url: string;
  /** The service's own user. */
  readonly username: string;
  readonly password?: string;
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly purpose: Purpose;
  readonly onState: (state: ConnectionState, details: string) => void;
  /** A place in the window became free, or the connection became ready. */
  readonly onFree: () => void;
  /** The broker owes an answer past its deadline, or no longer does. */
  readonly onOwing: () => void;
  /** It has left for good: see `leave`. */
  readonly onLeft: () => void;
}

const CONNECT_TIMEOUT_MS = 5_000;
const REEXAMINE_MS = 5_000;
/** How long an answer may be owed: longer than any message lives, so that it can hardly come any more. */
const OWING_MS = 16_000;
/** How long a peer that reads no more may hold up the DISCONNECT. */
const CLOSE_TIMEOUT_MS = 1_000;
const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 10_000;

/**
 * One MQTT 5 connection of the service's own user, connected again (exponential backoff, full jitter) until closed.
 *
 * A lost connection answers everything in flight with `lost` and starts with a new session and a new MQTT.js client, so
 * that nothing of it is kept and sent again. In flight are never more messages than the broker's Receive Maximum allows
 * (MQTT 5, section 3.3.4), and none larger than its Maximum Packet Size (section 3.2.2.3.6).
 */
export class BrokerConnection {
  readonly clientId: string;
  #client: MqttClient | undefined;
  #state: ConnectionState = 'down';
  #told: ConnectionState | undefined;
  #ids = new PacketIds();
  #window = MAX_PACKET_ID;
  #maxPacketBytes = Infinity;
  #attempts = 0;
  #closed = false;
  #leaving = false;
  #retry: NodeJS.Timeout | undefined;
  #owingTimer: NodeJS.Timeout | undefined;
  #owed = 0;
  /** By Packet Identifier, until the PUBACK comes: the identifier is in use so long, and so is the place in the window. */
  readonly #pending = new Map<number, Pending>();
  /** QoS 0: what the socket has not taken yet. */
  readonly #unwritten = new Set<Pending>();

  constructor(private readonly options: ConnectionOptions) {
    this.clientId = `${options.purpose.clientIdPrefix}-${randomBytes(6).toString('hex')}`;
    this.#connect();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Messages that somebody waits for. */
  get inFlight(): number {
    return this.#pending.size - this.#owed;
  }

  /** Messages that may still be sent before an answer has to come. */
  get free(): number {
    return this.#state === 'ready' && !this.#leaving ? this.#window - this.#pending.size : 0;
  }

  /** Whether the broker owes the answer to a message whose sender was told of the timeout. */
  get owing(): boolean {
    return this.#owed > 0;
  }

  /** Whether a message is about to be sent, so that another one would go along with it. */
  get gathering(): boolean {
    return this.#client !== undefined && isGathering(this.#client.stream);
  }

  /** Publishes and settles with the answer. Never rejects. */
  publish(outgoing: Outgoing): Promise<Answer> {
    const { topic, payload, qos, retain, properties, timeoutMs, sent } = outgoing;
    const client = this.#client;
    if (!client?.connected || this.#pending.size >= this.#window) return Promise.resolve('unsent');
    if (publishBytes({ topic, qos, properties, payloadBytes: payload.byteLength }) > this.#maxPacketBytes) {
      return Promise.resolve('tooLarge');
    }
    return new Promise((resolve) => {
      const body = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
      const options = { qos, retain, properties: forMqttPacket(properties) };
      gatherWrites(client.stream);
      if (qos === 0) {
        const unwritten = awaitAnswer(resolve, timeoutMs, () => this.#unwritten.delete(unwritten));
        this.#unwritten.add(unwritten);
        client.publish(topic, body, options, () => {
          this.#unwritten.delete(unwritten);
          unwritten.settle({ code: PubackCode.Success });
        });
        return;
      }
      client.publish(topic, body, options, ignoreOutcome);
      // MQTT.js tells its callback nothing of codes below 0x80, so the answer is read from the PUBACK itself.
      const pending = awaitAnswer(resolve, timeoutMs, () => {
        this.#owe();
      });
      const packetId = this.#ids.getLastAllocated();
      this.#pending.set(packetId, pending);
      sent?.(packetId);
    });
  }

  /** It turned out that the broker does not do what it was found to do: not ready, until examined again. */
  doubt(state: 'pluginMissing', details: string): void {
    if (this.#state !== 'ready') return;
    this.#become(state, details);
    if (this.#client) this.#examineLater(this.#client);
  }

  /** Takes no more messages, and is closed for good as soon as nobody waits for an answer. */
  leave(details: string): void {
    if (this.#leaving || this.#closed) return;
    this.#leaving = true;
    clearTimeout(this.#owingTimer);
    this.#become('down', details);
    this.#leaveIfIdle();
  }

  /** Leaves in peace (DISCONNECT); what is still in flight is answered `lost`. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    const client = this.#client;
    if (client === undefined) return;
    // MQTT.js would wait for the PUBACKs of what is in flight.
    const force = !client.connected || this.#pending.size > 0;
    this.#lose(client);
    const stuck = setTimeout(() => client.stream.destroy(), CLOSE_TIMEOUT_MS);
    await client.endAsync(force);
    clearTimeout(stuck);
  }

  #connect(): void {
    const { url, username, password, tls } = this.options;
    this.#ids = new PacketIds();
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
      messageIdProvider: this.#ids,
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
      // Without them there is no limit but that of the protocol (sections 3.2.2.3.3 and 3.2.2.3.6).
      this.#window = properties?.receiveMaximum ?? MAX_PACKET_ID;
      this.#maxPacketBytes = properties?.maximumPacketSize ?? Infinity;
      this.#attempts = 0;
      void this.#examine(client);
    });
    client.on('packetreceive', (packet) => {
      this.#receive(packet);
    });
    client.on('close', () => {
      this.#lose(client, details);
    });
  }

  #receive(packet: Packet): void {
    if (packet.cmd === 'publish') this.#note(this.options.purpose.received?.(packet));
    if (packet.cmd !== 'puback' || packet.messageId === undefined) return;
    const pending = this.#pending.get(packet.messageId);
    if (!pending) return;
    this.#pending.delete(packet.messageId);
    if (pending.overdue) this.#paid();
    else {
      const { reasonCode: code = PubackCode.Success, properties } = packet;
      pending.settle({ code, reasonString: properties?.reasonString, told: pending.told });
    }
    this.options.onFree();
    this.#leaveIfIdle();
  }

  #note(told: ToldOutcome | undefined): void {
    const pending = told && this.#pending.get(told.packetId);
    if (pending !== undefined) pending.told = told;
  }

  /** An answer is owed: its identifier and its place in the window are gone until it comes. */
  #owe(): void {
    this.#owed += 1;
    this.#owingTimer ??= setTimeout(() => {
      this.leave('the broker owes the answer to a message');
    }, OWING_MS).unref();
    this.#leaveIfIdle();
    this.options.onOwing();
  }

  #paid(): void {
    this.#owed -= 1;
    if (this.#owed > 0) return;
    clearTimeout(this.#owingTimer);
    this.#owingTimer = undefined;
    this.options.onOwing();
  }

  #leaveIfIdle(): void {
    if (!this.#leaving || this.#closed || this.inFlight > 0) return;
    void this.close();
    this.options.onLeft();
  }

  async #examine(client: MqttClient): Promise<void> {
    if (this.#pending.size >= this.#window) {
      this.#examineLater(client);
      return;
    }
    const fitness = await this.options.purpose.examine(this);
    if (this.#client !== client || this.#leaving || fitness.state === 'lost') return;
    this.#become(fitness.state, fitness.details);
    if (fitness.state === 'ready') this.options.onFree();
    else this.#examineLater(client);
  }

  #examineLater(client: MqttClient): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#examine(client), REEXAMINE_MS).unref();
  }

  #lose(client: MqttClient | undefined, details = 'closed'): void {
    if (client !== this.#client) return;
    this.#client = undefined;
    clearTimeout(this.#retry);
    clearTimeout(this.#owingTimer);
    this.#owingTimer = undefined;
    const lost = [...this.#pending.values(), ...this.#unwritten];
    this.#pending.clear();
    this.#unwritten.clear();
    this.#owed = 0;
    for (const pending of lost) pending.settle('lost');
    this.#become('down', details);
    if (this.#closed) return;
    if (this.#leaving) {
      this.#leaveIfIdle();
      return;
    }
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.#attempts++);
    this.#retry = setTimeout(() => {
      this.#connect();
    }, Math.random() * ceiling);
  }

  #become(state: ConnectionState, details: string): void {
    this.#state = state;
    if (this.#told === state) return;
    this.#told = state;
    this.options.onState(state, details);
  }
}

function ignoreOutcome(): void {
  // The PUBACK itself, or the loss of the connection, has answered already.
}
