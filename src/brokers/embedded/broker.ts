import { Aedes, type AedesOptions, type Client } from 'aedes';
import type { EventEmitter } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { LifecycleEvents } from '../../clients/lifecycle.js';
import { DEFAULT_LIMITS } from '../../direct/limits.js';
import { isUnderDirect } from '../../direct/topic.js';
import type { BrokerOperations } from '../../operations/broker.js';
import { Dispatcher } from '../direct/dispatch.js';
import { Receiver, type ReceiverLimits } from '../direct/receiver.js';
import type { AedesBroker, AedesClient } from './aedes-client.js';
import { Authorization } from './authorize.js';
import { Callouts, type SessionStart } from './callouts.js';
import { clientInfo } from './client-info.js';
import { ClientConnection } from './client-connection.js';
import { openDoor } from './door.js';
import { identityOf } from '../../exhook/normalise.js';
import type { EmbeddedBroker, EmbeddedBrokerOptions } from './embedded-broker.js';
import { Outcomes } from './outcomes.js';
import { AedesOutlet } from './outlet.js';
import { ExhookClient } from './exhook-client.js';
import { EmbeddedOperations, KICKED } from './operations.js';
import { Sessions } from './sessions.js';
import { subscribe } from './subscribe.js';

/** Inflight window and queue are the defaults of EMQX. */
const RECEIVER_LIMITS: ReceiverLimits = { window: 32, queue: 1_000, sendBufferBytes: 1_048_576 };
const NODE = 'tightbeam-embedded@127.0.0.1';
/** DISCONNECT reason code Session taken over. */
const SESSION_TAKEN_OVER = 0x8e;

export function createEmbeddedBroker(options: EmbeddedBrokerOptions): EmbeddedBroker {
  return new Broker(options);
}

class Broker implements EmbeddedBroker {
  readonly #options: EmbeddedBrokerOptions;
  readonly #exhook: ExhookClient;
  readonly #callouts: Callouts;
  readonly #outcomes: Outcomes;
  readonly #authorization: Authorization;
  readonly #dispatcher: Dispatcher;
  readonly #sessions = new Sessions();
  readonly #connections = new WeakMap<Client, ClientConnection>();
  readonly #sockets = new Set<Socket>();
  #closing: Promise<void> | undefined;
  /** Ends of connections that are still being told of. */
  readonly #endings = new Set<Promise<void>>();
  readonly #receiverLimits: ReceiverLimits;
  readonly #aedes: Aedes;
  readonly #lifecycle: LifecycleEvents | undefined;
  readonly operations: BrokerOperations;
  readonly #server = createServer({ noDelay: true }, (socket) => {
    this.#accept(socket);
  });

  constructor(options: EmbeddedBrokerOptions) {
    this.#options = options;
    const { diagnostics, version = '0.0.0' } = options;
    this.#receiverLimits = { ...RECEIVER_LIMITS, ...options.receiver };
    this.#exhook = new ExhookClient({
      address: options.exhookAddress,
      meta: { node: NODE, version, sysdescr: 'Tightbeam embedded broker', cluster_name: 'tightbeam-embedded' },
      diagnostics,
      requestTimeoutMs: options.hookTimeoutMs ?? 5_000,
      reconnectMs: options.hookReconnectMs ?? 1_000,
    });
    this.#callouts = new Callouts(this.#exhook, NODE);
    this.#outcomes = new Outcomes(this.#exhook, NODE, diagnostics);
    this.#authorization = new Authorization(this.#exhook, options.authorizationCacheMs ?? 1_000);
    this.#dispatcher = new Dispatcher({
      limits: options.limits ?? DEFAULT_LIMITS,
      ...(options.perReceiver && { perReceiver: options.perReceiver }),
      waiting: options.waiting,
      connectionOf: (clientId) => this.#sessions.connectionOf(clientId),
      hasSession: (clientId) => this.#sessions.away(clientId) !== undefined,
      authorize: (connection: ClientConnection, type, topic) => this.#authorization.ask(connection, type, topic),
      report: (message, reason, details) => {
        this.#outcomes.add(message, reason, details);
      },
    });
    this.#aedes = new Aedes(this.#aedesOptions());
    if (options.lifecycleEvents === true) {
      this.#lifecycle = new LifecycleEvents((topic, payload) => {
        const packet = { cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false } as const;
        this.#aedes.publish(packet, (error) => {
          if (error) diagnostics('warn', 'A lifecycle event could not be published.', { topic, error: error.message });
        });
      });
    }
    this.operations = new EmbeddedOperations({
      aedes: this.#aedes as AedesBroker,
      sessions: this.#sessions,
      terminated: (info) => this.#callouts.sessionTerminated(info, KICKED),
    });
    this.#aedes.on('connackSent', ({ returnCode, reasonCode }, client) => {
      if ((reasonCode ?? returnCode) === 0) this.#admitted(client);
    });
    this.#aedes.on('keepaliveTimeout', (client) => {
      this.#connectionOf(client).endReason ??= 'keepalive_timeout';
    });
    this.#aedes.on('clientError', (client, error) => {
      // Aedes tells of refused packets here too, which do not end an MQTT 5 connection.
      if (client.conn.destroyed) this.#connectionOf(client).endReason ??= endReasonOf(error);
    });
    (this.#aedes as EventEmitter).on('error', (error: unknown) => {
      diagnostics('error', 'The embedded broker failed inside.', { error: String(error) });
    });
    this.#aedes.on('sessionExpired', ({ id }) => {
      const session = this.#sessions.forget(id);
      if (session !== undefined) void this.#callouts.sessionTerminated(session.info, 'expired');
    });
  }

  get load(): EmbeddedBroker['load'] {
    return { connections: this.#sessions.size, pendingMessages: this.#dispatcher.pending.size };
  }

  async start(): Promise<number> {
    const { host, port, diagnostics } = this.#options;
    await this.#aedes.listen();
    await this.#exhook.load();
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen(port, host, resolve);
      });
    } catch (error) {
      await this.close();
      throw error;
    }
    const { port: bound } = this.#server.address() as AddressInfo;
    diagnostics('warn', 'The embedded broker is for development and tests, not for production.', { host, port: bound });
    return bound;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    await new Promise<void>((resolve) => {
      this.#aedes.close(resolve);
    });
    // Those that were still before CONNACK, which Aedes does not count.
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await Promise.all(this.#endings);
    await this.#outcomes.flush();
    await this.#exhook.close();
  }

  #accept(socket: Socket): void {
    const connection = new ClientConnection(this.#aedes.handle(socket) as AedesClient);
    this.#connections.set(connection.client, connection);
    openDoor(connection, {
      direct: (from, packet) => {
        this.#dispatcher.publish(from, packet);
      },
      subscribe: (from, packet) => void subscribe(from, packet, this.#authorization, this.#callouts),
      beforeUnsubscribe: async ({ info, lifecycle }, packet) => {
        lifecycle?.unsubscribed(packet.unsubscriptions);
        if (info !== undefined) await this.#callouts.unsubscribed(info, packet);
      },
    });
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      const ending = this.#ended(connection).finally(() => this.#endings.delete(ending));
      this.#endings.add(ending);
    });
  }

  #aedesOptions(): AedesOptions {
    return {
      // The default of Aedes is the 23 characters of MQTT 3.1; EMQX takes longer ones from old clients too.
      maxClientsIdLength: 65_535,
      preConnect: (client, packet, callback) => {
        const connection = this.#connectionOf(client);
        connection.connect = packet;
        void this.#callouts.clientConnect(connection, packet).then(() => {
          callback(null, true);
        });
      },
      authenticate: (client, username, password, callback) => {
        void this.#admit(this.#connectionOf(client), username, password).then((admitted) => {
          if (admitted) callback(null, true);
          else callback(notAuthorized(), null);
        });
      },
      authorizePublish: (client, packet, callback) => {
        void this.#mayPublish(client, packet.topic).then((allowed) => {
          // The will of a connection that has ended is no PUBLISH of its.
          if (allowed && client !== null && !client.closed && this.#dispatcher.answers.areAwaited) {
            this.#dispatcher.answers.published(this.#connectionOf(client), packet);
          }
          callback(allowed ? null : notAuthorized());
        });
      },
    };
  }

  /** From CONNECT to CONNACK, in the order of EMQX. */
  async #admit(
    connection: ClientConnection,
    username: string | undefined,
    password: Buffer | undefined,
  ): Promise<boolean> {
    const { client } = connection;
    const info = clientInfo(NODE, connection.endpoints, client.id, username);
    if (!(await this.#callouts.clientAuthenticate(info, password?.toString() ?? ''))) {
      // Whether the client has proved who it is the provider does not say: nothing is claimed of it.
      this.#lifecycle?.connectFailed({ ...identityOf(info), username: undefined });
      await this.#callouts.clientConnack(connection, 'not_authorized');
      return false;
    }
    connection.info = info;
    connection.isService = username === this.#options.serviceUsername;
    const start = this.#sessionStart(connection);
    connection.resumed = start.kind === 'resumed';
    await this.#callouts.sessionStart(info, start);
    if (client.closed) return false;
    await this.#callouts.clientConnected(connection, info);
    await this.#callouts.clientConnack(connection, 'success');
    // Gone meanwhile: its end was told before it was announced, or will be; Aedes drops it.
    return !client.closed;
  }

  #sessionStart({ client, connect }: ClientConnection): SessionStart {
    const live = this.#sessions.connectionOf(client.id);
    const earlier = live?.info ?? this.#sessions.away(client.id)?.info;
    if (earlier === undefined) return { kind: 'created' };
    return { kind: connect?.clean === true ? 'discarded' : 'resumed', earlier, live };
  }

  /** CONNACK is on its way. */
  #admitted(client: Client): void {
    const connection = this.#connectionOf(client);
    // Aedes has written it; the socket can be gone all the same.
    if (client.closed) return;
    connection.connectedSince = Date.now();
    const receiver = new Receiver(new AedesOutlet(connection), this.#dispatcher.pending, this.#receiverLimits);
    connection.receiver = receiver;
    connection.socket.on('drain', () => {
      receiver.pump();
    });
    const before = this.#sessions.connected(connection);
    // Aedes has closed the one before; where two connections came at the same time, it can have missed one.
    if (before !== undefined && !before.client.closed) before.end(SESSION_TAKEN_OVER, 'takenover');
    if (!connection.isService && connection.info !== undefined) {
      connection.lifecycle = this.#lifecycle?.connected(identityOf(connection.info), connection.resumed);
    }
    this.#dispatcher.connected(client.id);
  }

  async #ended(connection: ClientConnection): Promise<void> {
    const { info, endReason = 'tcp_closed' } = connection;
    const sessionStays = this.#sessions.disconnected(connection);
    connection.receiver?.close();
    this.#dispatcher.forgetSender(connection);
    connection.lifecycle?.ended(endReason, sessionStays);
    if (!connection.announced || info === undefined) return;
    await this.#callouts.clientDisconnected(connection, endReason);
    if (!sessionStays) await this.#callouts.sessionTerminated(info, endReason);
  }

  async #mayPublish(client: Client | null, topic: string): Promise<boolean> {
    // Only a client's own PUBLISH is a direct message, and the door has those: this is a will. `$SYS/` is how Aedes
    // speaks to itself; a client that could publish there could disconnect others.
    if (client === null || isUnderDirect(topic) || topic.startsWith('$SYS/')) return false;
    return this.#authorization.ask(this.#connectionOf(client), 'PUBLISH', topic);
  }

  #connectionOf(client: Client): ClientConnection {
    const connection = this.#connections.get(client);
    if (connection === undefined) throw new Error('Aedes speaks of a client that it was not given.');
    return connection;
  }
}

const NOT_AUTHORIZED = 'not authorized';

function notAuthorized(): Error & { returnCode: number } {
  // 5: not authorized (MQTT 3.1.1, section 3.2.2.3); Aedes makes 0x87 of it for MQTT 5.
  return Object.assign(new Error(NOT_AUTHORIZED), { returnCode: 5 });
}

/** In the words of EMQX, as far as it has one. */
function endReasonOf(error: Error): string {
  if (error.message === NOT_AUTHORIZED) return 'not_authorized';
  return 'code' in error ? 'tcp_closed' : 'protocol_error';
}
