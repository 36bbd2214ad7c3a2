import type { Duplex } from 'node:stream';
import { generate, type Packet } from 'mqtt-packet';
import type { ConnectionLifecycle } from '../../clients/lifecycle.js';
import type { Identity } from '../../identity/identity.js';
import type { Party, PendingMessage } from '../direct/message.js';
import type { Receiver } from '../direct/receiver.js';
import { Code, RETURN_CODES, wordOf } from './codes.js';
import type { DoorContext } from './context.js';
import type { Endpoints } from './endpoints.js';
import { Handshake } from './handshake.js';
import { Side } from './side.js';
import type { Session } from './session.js';
import type { Frame } from './wire/frame.js';
import { Malformed } from './wire/malformed.js';

/** Who takes the packets of the client. Throws Malformed. */
export interface ClientPackets {
  take(frame: Frame): void;
  /** True while no more should be taken. */
  readonly isHeld: boolean;
  /** Whether something that was taken still waits for the broker. */
  readonly isWaiting: boolean;
}

/** Who takes the packets of the broker. */
export interface BrokerPackets {
  take(frame: Frame): void;
}

/** How long a peer may take to read what it is told at the end. */
const CLOSE_TIMEOUT_MS = 2_000;
/** How long the broker may take to take over what a client sent before it left. */
const DRAIN_TIMEOUT_MS = 10_000;

/** One client, and the one connection to the broker behind it. */
export class DoorConnection implements Party {
  readonly sent = new Map<number, PendingMessage>();
  readonly client: Side;
  readonly handshake: Handshake;
  /** The connection to the broker, once the client was admitted. */
  broker: Side | undefined;
  /** From CONNACK on. */
  session: Session | undefined;
  /** Where lifecycle events are published, from CONNACK on. */
  lifecycle: ConnectionLifecycle | undefined;
  /** Why the connection ends, in the words of EMQX. */
  endReason: string | undefined;
  fromClient: ClientPackets;
  fromBroker: BrokerPackets;
  #ended = false;
  #clientGone = false;
  #brokerTimer: NodeJS.Timeout | undefined;

  constructor(
    stream: Duplex,
    readonly endpoints: Endpoints,
    readonly context: DoorContext,
  ) {
    this.client = new Side(stream, context.limits.connectBytes);
    this.handshake = new Handshake(this);
    this.fromClient = this.handshake.fromClient;
    this.fromBroker = this.handshake.fromBroker;
    stream.on('data', (chunk: Buffer) => {
      this.client.frames.push(chunk);
      this.pumpClient();
    });
    stream.on('drain', () => {
      this.receiver?.pump();
      this.pumpBroker();
    });
    // Of what went wrong `close` follows.
    stream.on('error', () => undefined);
    stream.once('end', () => {
      this.#loseClient();
    });
    stream.once('close', () => {
      this.#loseClient();
    });
  }

  get clientId(): string {
    return this.handshake.clientId;
  }

  get version(): 3 | 4 | 5 {
    return this.handshake.connect?.version ?? 4;
  }

  get isMqtt5(): boolean {
    return this.version === 5;
  }

  get isService(): boolean {
    return this.handshake.isService;
  }

  /** Who the client is; what it says is true from CONNACK on. */
  get identity(): Identity | undefined {
    return this.handshake.identity;
  }

  get receiver(): Receiver | undefined {
    return this.session?.receiver;
  }

  /** True as soon as nothing more is said to the client. */
  get closed(): boolean {
    return this.#ended;
  }

  get origin(): Party['origin'] {
    const { identity } = this;
    if (identity === undefined) return undefined;
    return { clientId: this.clientId, username: identity.username, sourceIp: this.endpoints.sourceIp };
  }

  /** To the client. */
  write(bytes: Buffer): void {
    if (!this.#ended) this.client.write(bytes);
  }

  tell(packet: Packet): void {
    this.write(generate(packet, { protocolVersion: this.version }));
  }

  tellBroker(packet: Packet): void {
    this.broker?.write(generate(packet, { protocolVersion: this.version }));
  }

  /** The connection to the broker, with the first bytes for it. */
  openBroker(stream: Duplex, first: Buffer): void {
    const broker = new Side(stream, Infinity);
    this.broker = broker;
    stream.on('data', (chunk: Buffer) => {
      broker.frames.push(chunk);
      this.pumpBroker();
    });
    stream.on('drain', () => {
      this.pumpClient();
    });
    stream.on('error', (error) => {
      if (this.session === undefined) this.context.brokerFailed(error);
    });
    stream.once('end', () => {
      this.#loseBroker();
    });
    stream.once('close', () => {
      clearTimeout(this.#brokerTimer);
      this.#loseBroker();
    });
    broker.write(first);
  }

  /**
   * Ends the connection from the door's side. To the broker it is lost, so that the will is published; the client is told
   * the reason code where its protocol has a packet for it.
   */
  end(reasonCode: number | undefined, endReason: string): void {
    if (this.#ended) return;
    this.endReason ??= endReason;
    if (reasonCode !== undefined) this.#tellEnd(reasonCode);
    this.#over();
    this.#closeBroker();
    this.#closeClient();
  }

  /** The client has said goodbye, or is about to be told so by the broker: nothing more is said to it by the door. */
  bye(endReason: string): void {
    this.endReason ??= endReason;
    this.#over();
  }

  /** Takes what the client sent, for as long as it can go somewhere. */
  pumpClient(): void {
    try {
      while (!this.#isClientHeld) {
        const frame = this.client.frames.next();
        if (frame === undefined) {
          this.handshake.checkBeginning();
          break;
        }
        this.fromClient.take(frame);
      }
    } catch (error) {
      this.#refuse(error);
      return;
    }
    this.broker?.flush();
    this.client.setFlowing(!this.#isClientHeld);
    this.#closeBrokerWhenDone();
  }

  /** Takes what the broker sent, for as long as the client reads. */
  pumpBroker(): void {
    const { broker } = this;
    if (broker === undefined) return;
    try {
      while (!this.client.isFull) {
        const frame = broker.frames.next();
        if (frame === undefined) break;
        this.fromBroker.take(frame);
      }
    } catch (error) {
      this.context.diagnostics('error', 'The broker sent what is no MQTT.', { error: String(error) });
      this.end(Code.UNSPECIFIED, 'internal_error');
      return;
    }
    this.client.flush();
    broker.setFlowing(!this.client.isFull);
  }

  get #isClientHeld(): boolean {
    return this.fromClient.isHeld || this.broker?.isFull === true;
  }

  #refuse(error: unknown): void {
    if (!(error instanceof Malformed)) {
      this.context.diagnostics('error', 'The door failed inside.', { error: String(error) });
      this.end(Code.UNSPECIFIED, 'internal_error');
      return;
    }
    this.context.diagnostics('info', 'A client broke the protocol.', { clientId: this.clientId, rule: error.message });
    this.end(error.reasonCode, wordOf(error.reasonCode, 'protocol_error'));
  }

  #tellEnd(reasonCode: number): void {
    if (this.session !== undefined) {
      if (this.isMqtt5) this.tell({ cmd: 'disconnect', reasonCode });
      return;
    }
    if (this.handshake.connect === undefined && reasonCode !== Code.UNSUPPORTED_VERSION) return;
    const returnCode = RETURN_CODES[reasonCode];
    if (this.isMqtt5) this.tell({ cmd: 'connack', sessionPresent: false, reasonCode });
    else if (returnCode !== undefined) this.tell({ cmd: 'connack', sessionPresent: false, returnCode });
  }

  /** Nobody waits for answers any more, and direct messages cannot arrive. Once. */
  #over(): void {
    if (this.#ended) return;
    this.client.flush();
    this.#ended = true;
    this.handshake.close();
    this.context.ended(this);
  }

  /** Without DISCONNECT, unless one was sent before. */
  #closeBroker(): void {
    if (this.broker === undefined || this.broker.stream.destroyed) return;
    const { stream } = this.broker;
    stream.removeAllListeners('data');
    stream.resume();
    stream.end(() => stream.destroy());
    setTimeout(() => stream.destroy(), CLOSE_TIMEOUT_MS).unref();
  }

  #closeClient(): void {
    const { stream } = this.client;
    if (stream.destroyed) return;
    // Whatever it still says is not heard.
    stream.removeAllListeners('data');
    stream.resume();
    stream.end();
    const timer = setTimeout(() => stream.destroy(), CLOSE_TIMEOUT_MS);
    stream.once('close', () => {
      clearTimeout(timer);
    });
  }

  /** What the client sent before still goes to the broker, which then finds the connection closed. */
  #loseClient(): void {
    if (this.#clientGone) return;
    this.#clientGone = true;
    // Who leaves at once behind CONNECT and a message has said it all the same: it waits for CONNACK.
    if (this.session === undefined && !this.#ended && this.client.frames.size > 0) return;
    this.bye('tcp_closed');
    if (this.broker?.stream.destroyed !== false) return;
    if (this.session === undefined) {
      this.broker.stream.destroy();
      return;
    }
    this.#brokerTimer = setTimeout(() => this.broker?.stream.destroy(), DRAIN_TIMEOUT_MS);
    this.pumpBroker();
    this.pumpClient();
  }

  #closeBrokerWhenDone(): void {
    if (!this.#clientGone || this.session === undefined || this.#isClientHeld || this.fromClient.isWaiting) return;
    this.bye('tcp_closed');
    this.broker?.stream.end();
  }

  #loseBroker(): void {
    if (this.session === undefined) this.end(Code.SERVER_UNAVAILABLE, 'internal_error');
    this.pumpBroker();
    // The broker's own DISCONNECT can be lost with its connection; a successor that waits for CONNACK tells why it ended.
    if (this.context.turns.isTaken(this.clientId)) this.end(Code.SESSION_TAKEN_OVER, 'takenover');
    else this.end(Code.SERVER_SHUTTING_DOWN, 'server_shutting_down');
    this.broker?.stream.destroy();
    this.#closeClient();
  }
}
