import { randomBytes } from 'node:crypto';
import type { Identity } from '../../identity/identity.js';
import { Code } from './codes.js';
import type { BrokerPackets, ClientPackets, DoorConnection } from './connection.js';
import { Session } from './session.js';
import { changeConnack, readConnack } from './wire/connack.js';
import { readConnect, withClientId, type Connect } from './wire/connect.js';
import { PacketType, type Frame } from './wire/frame.js';
import { Malformed, protocolError } from './wire/malformed.js';

/**
 * From the first byte to CONNACK. The client is read no further than its CONNECT: what it says before CONNACK, as MQTT
 * allows (section 3.1.4), waits in the socket, and is never more than one chunk here.
 */
export class Handshake {
  readonly #connection: DoorConnection;
  connect: Connect | undefined;
  clientId = '';
  /** Whether the door gave the client its ID. */
  #assigned = false;
  identity: Identity | undefined;
  isService = false;
  /** The broker has asked for an AUTH (section 4.12), which comes before CONNACK. */
  #awaitsAuth = false;
  #closed = false;
  #release: (() => void) | undefined;
  readonly #patience: NodeJS.Timeout;

  constructor(connection: DoorConnection) {
    this.#connection = connection;
    const { context, endpoints } = connection;
    this.#patience = setTimeout(
      () => {
        connection.end(Code.SERVER_UNAVAILABLE, 'idle_timeout');
      },
      context.limits.connectTimeoutMs - (performance.now() - endpoints.since),
    );
  }

  /** The two directions are apart: what only the broker may say counts from the broker alone. */
  readonly fromBroker: BrokerPackets = {
    take: (frame) => {
      this.#takeFromBroker(frame);
    },
  };

  get fromClient(): ClientPackets {
    const isHeld = (): boolean => this.#closed || (this.connect !== undefined && !this.#awaitsAuth);
    return {
      take: (frame) => {
        this.#takeFromClient(frame);
      },
      get isHeld() {
        return isHeld();
      },
      isWaiting: false,
    };
  }

  /** Whoever does not begin with CONNECT is not waited for. @throws Malformed */
  checkBeginning(): void {
    const { first } = this.#connection.client.frames;
    if (this.connect !== undefined || first === undefined || first === PacketType.CONNECT << 4) return;
    throw protocolError('The first packet is no CONNECT.');
  }

  /** Where it waits for its turn, others need not wait for it. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#patience);
    this.#release?.();
  }

  #takeFromClient(frame: Frame): void {
    if (this.connect === undefined) {
      if (frame.type !== PacketType.CONNECT) throw protocolError('The first packet is no CONNECT.');
      this.#takeConnect(frame);
      return;
    }
    if (frame.type !== PacketType.AUTH) throw protocolError('The broker waits for AUTH.');
    this.#awaitsAuth = false;
    this.#connection.broker?.pass(frame);
  }

  #takeFromBroker(frame: Frame): void {
    const { connect } = this;
    if (connect !== undefined && frame.type === PacketType.CONNACK) {
      this.#takeConnack(frame, connect);
    } else if (connect?.usesEnhancedAuthentication === true && frame.type === PacketType.AUTH) {
      this.#connection.client.pass(frame);
      this.#awaitsAuth = true;
      setImmediate(() => {
        this.#connection.pumpClient();
      });
    } else {
      throw protocolError('The first packet of the broker is no CONNACK.');
    }
  }

  #takeConnect(frame: Frame): void {
    if (frame.flags !== 0) throw new Malformed('CONNECT has flags.');
    const connect = readConnect(frame);
    this.connect = connect;
    let { bytes } = frame;
    this.clientId = connect.clientId;
    if (connect.clientId === '') {
      // MQTT 3.1.1, section 3.1.3.1.
      if (!connect.clean && connect.version !== 5) {
        this.#connection.end(Code.CLIENT_IDENTIFIER_NOT_VALID, 'protocol_error');
        return;
      }
      this.#assigned = true;
      this.clientId = `auto-${randomBytes(10).toString('hex')}`;
      bytes = withClientId(frame, connect, this.clientId);
    } else {
      // The chunk that it came in need not stay.
      bytes = Buffer.from(bytes);
    }
    void this.#admit(connect, bytes);
  }

  /** Never rejects: admission does not. */
  async #admit(connect: Connect, bytes: Buffer): Promise<void> {
    const connection = this.#connection;
    const { context } = connection;
    const admission = await context.admit(connection, connect);
    if (this.#closed) return;
    if (!admission.ok) {
      connection.end(Code.NOT_AUTHORIZED, 'not_authorized');
      return;
    }
    this.identity = admission.identity;
    this.isService = admission.isService;
    // Two at a time with one client ID: whom the broker takes for the later one must be so here.
    const turn = context.turns.take(this.clientId);
    this.#release = turn.release;
    await turn.begins;
    // Closed meanwhile, which ended its turn.
    if (!this.#isOpen()) return;
    const stream = await context
      .dial(() => this.#isOpen())
      .catch((error: unknown) => {
        context.brokerFailed(error as Error);
        connection.end(Code.SERVER_UNAVAILABLE, 'internal_error');
      });
    if (this.#isOpen() && stream !== undefined) connection.openBroker(stream, bytes);
    else stream?.destroy();
  }

  #isOpen(): boolean {
    return !this.#closed;
  }

  #takeConnack(frame: Frame, connect: Connect): void {
    const connection = this.#connection;
    const connack = readConnack(frame, connect.version);
    this.#release?.();
    if (connack.reasonCode !== 0) {
      connection.client.pass(frame);
      connection.client.flush();
      connection.context.refusedByBroker(connection, connack.reasonCode);
      connection.end(undefined, 'not_authorized');
      return;
    }
    clearTimeout(this.#patience);
    const { limits } = connection.context;
    const session = new Session(connection, connect, connack);
    if (connect.version === 5) {
      connection.client.write(
        changeConnack(frame, connack, {
          receiveMaximum: session.receiveMaximum,
          maximumPacketSize: Math.min(limits.packetBytes, connack.maximumPacketSize),
          assignedClientId: this.#assigned ? this.clientId : undefined,
        }),
      );
    } else {
      connection.client.pass(frame);
    }
    connection.client.frames.maxBytes = limits.packetBytes;
    connection.session = session;
    connection.fromClient = session.upstream;
    connection.fromBroker = session.downstream;
    connection.context.admitted(connection, connack.sessionPresent);
    setImmediate(() => {
      connection.pumpClient();
    });
  }
}
