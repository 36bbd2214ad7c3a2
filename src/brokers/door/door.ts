import type { Duplex } from 'node:stream';
import type { Limits } from '../../direct/limits.js';
import type { Diagnostics } from '../../observing/diagnostics.js';
import type { RateLimiter } from '../../throttling/rate-limiter.js';
import { Dispatcher } from '../direct/dispatch.js';
import type { ReceiverLimits } from '../direct/receiver.js';
import type { WaitingLimits } from '../direct/waiting.js';
import { AwaySessions } from './away.js';
import type { BrokerAddress } from './broker-address.js';
import { Code } from './codes.js';
import { DoorConnection } from './connection.js';
import type { Admission, DoorContext, DoorLimits } from './context.js';
import { Dialer } from './dialer.js';
import type { Endpoints } from './endpoints.js';
import type { Gate } from './gate.js';
import { PacketIds } from './packet-ids.js';
import { Turns } from './turns.js';
import type { Connect } from './wire/connect.js';

export interface DoorOptions {
  readonly broker: BrokerAddress;
  readonly gate: Gate;
  readonly diagnostics: Diagnostics;
  /** Of direct messages. */
  readonly limits: Limits;
  /** How many direct messages one receiver may be sent; shared with whoever sends through the service's user. */
  readonly perReceiver?: RateLimiter | undefined;
  readonly receiver?: Partial<ReceiverLimits>;
  /** How many direct messages may wait for their receivers to connect. */
  readonly waiting?: Partial<WaitingLimits> | undefined;
  /** Overrides; see DoorLimits. */
  readonly connectTimeoutMs?: number;
  readonly packetBytes?: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** Longest fields of a CONNECT are 65,535 bytes each; one with a will of that size and the other fields usual fits. */
const CONNECT_BYTES = 81_920;
const PACKET_BYTES = 1_048_576;
/** Inflight window and queue are the defaults of EMQX. */
const RECEIVER_LIMITS: ReceiverLimits = { window: 32, queue: 1_000, sendBufferBytes: 1_048_576 };

/**
 * Stands in front of an MQTT broker that cannot be taught direct messages: clients connect to it, and each has one
 * connection to the broker behind it. All but `$dm/` passes, as the bytes that came, where policies allow it.
 */
export class Door implements DoorContext {
  readonly limits: DoorLimits;
  readonly diagnostics: Diagnostics;
  readonly dispatcher: Dispatcher;
  readonly turns = new Turns();
  readonly rules: Gate;
  readonly away = new AwaySessions();
  readonly #dialer: Dialer;
  readonly #live = new Map<string, DoorConnection>();
  readonly #all = new Set<DoorConnection>();

  constructor(options: DoorOptions) {
    this.#dialer = new Dialer(options.broker);
    this.diagnostics = options.diagnostics;
    this.rules = options.gate;
    this.limits = {
      connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      connectBytes: CONNECT_BYTES,
      packetBytes: options.packetBytes ?? PACKET_BYTES,
      receiver: { ...RECEIVER_LIMITS, ...options.receiver },
    };
    this.dispatcher = new Dispatcher({
      limits: options.limits,
      ...(options.perReceiver && { perReceiver: options.perReceiver }),
      waiting: options.waiting,
      connectionOf: (clientId) => this.#live.get(clientId),
      hasSession: (clientId) => this.away.get(clientId) !== undefined,
      authorize: (connection: DoorConnection, type, topic) => this.rules.direct(connection, type, topic),
      report: (message, reason, details) => {
        this.rules.told(message, reason, details);
      },
    });
  }

  /** What the door holds at the moment. */
  get load(): { readonly connections: number; readonly pendingMessages: number } {
    return { connections: this.#live.size, pendingMessages: this.dispatcher.pending.size };
  }

  connectionOf(clientId: string): DoorConnection | undefined {
    return this.#live.get(clientId);
  }

  /** A client's stream, from whichever listener. */
  accept(stream: Duplex, endpoints: Endpoints): void {
    const connection = new DoorConnection(stream, endpoints, this);
    this.#all.add(connection);
    stream.once('close', () => {
      this.#all.delete(connection);
    });
  }

  /** Ends the connections that are told so of; MQTT 5 clients are told the reason code. */
  expel(isMeant: (endpoints: Endpoints) => boolean, reasonCode: number, word: string): void {
    for (const connection of this.#all) if (isMeant(connection.endpoints)) connection.end(reasonCode, word);
  }

  /** Tells all clients (MQTT 5: 0x8B, Server shutting down), and ends their connections. */
  close(): void {
    this.expel(() => true, Code.SERVER_SHUTTING_DOWN, 'server_shutting_down');
  }

  admit(connection: DoorConnection, connect: Connect): Promise<Admission> {
    return this.rules.admit(connection, connect);
  }

  dial(isWanted?: () => boolean): Promise<Duplex | undefined> {
    return this.#dialer.dial(isWanted);
  }

  brokerFailed(error: Error): void {
    this.diagnostics('warn', 'The broker behind the door cannot be reached.', { error: error.message });
  }

  refusedByBroker(connection: DoorConnection, reasonCode: number): void {
    this.rules.refusedByBroker(connection, reasonCode);
  }

  packetIds(clientId: string, sessionPresent: boolean): PacketIds {
    const ids = new PacketIds();
    if (!sessionPresent) return ids;
    const renamed = this.#live.get(clientId)?.session?.ids.renamedOfSession() ?? this.away.get(clientId)?.renamed;
    if (renamed !== undefined) ids.resume(renamed);
    return ids;
  }

  admitted(connection: DoorConnection): void {
    const { clientId } = connection;
    const before = this.#live.get(clientId);
    this.#live.set(clientId, connection);
    this.away.delete(clientId);
    // The broker ends it too; direct messages for it must not wait for that.
    before?.end(Code.SESSION_TAKEN_OVER, 'takenover');
    this.rules.connected(connection);
    this.dispatcher.connected(clientId);
  }

  ended(connection: DoorConnection): void {
    const { clientId, session } = connection;
    if (session === undefined) return;
    if (this.#live.get(clientId) === connection) {
      this.#live.delete(clientId);
      if (session.sessionExpiry > 0) this.#goneAway(connection, session);
    }
    session.receiver.close();
    this.dispatcher.forgetSender(connection);
    this.rules.disconnected(connection);
  }

  #goneAway(
    { clientId, endpoints, endReason = 'tcp_closed' }: DoorConnection,
    session: NonNullable<DoorConnection['session']>,
  ): void {
    const { keepAlive, sessionExpiry } = session;
    const renamed = session.ids.renamedOfSession();
    this.away.set(clientId, { endpoints, keepAlive, sessionExpiry, since: Date.now(), endReason, renamed });
  }
}
