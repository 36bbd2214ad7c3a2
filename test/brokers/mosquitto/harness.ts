import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { IConnectPacket, Packet } from 'mqtt-packet';
import { Door, type DoorOptions } from '../../../src/brokers/door/door.js';
import { Gate, type AuthenticatedBy, type LoggedPackets } from '../../../src/brokers/door/gate.js';
import { Listener } from '../../../src/brokers/door/listeners/listener.js';
import type { ClientOptions } from '../../../src/clients/context.js';
import { DEFAULT_LIMITS } from '../../../src/direct/limits.js';
import { fakeAuthenticator, fakeAuthorizer, FakeEvents } from '../../exhook/fakes.js';
import { RawClient, type StartOptions as EmbeddedOptions } from '../embedded/harness.js';
import { startMosquitto, type Mosquitto, type MosquittoOptions } from './mosquitto.js';

export interface StartOptions {
  readonly mosquitto?: MosquittoOptions;
  readonly gate?: Partial<ClientOptions> & {
    readonly authenticatedBy?: AuthenticatedBy;
    readonly logged?: Partial<LoggedPackets>;
  };
  readonly door?: Partial<DoorOptions>;
}

/** A door before a Mosquitto of its own, and clients that are gone with it. */
export async function startDoor({ mosquitto: mosquittoOptions, gate, door: doorOptions }: StartOptions = {}) {
  const mosquitto: Mosquitto = await startMosquitto(mosquittoOptions);
  const events = new FakeEvents();
  const authorizer = fakeAuthorizer();
  const authenticator = fakeAuthenticator();
  const logged: unknown[][] = [];
  const diagnostics = (...entry: unknown[]) => void logged.push(entry);
  const door = new Door({
    broker: { kind: 'unix', path: mosquitto.path },
    limits: DEFAULT_LIMITS,
    diagnostics,
    gate: new Gate(
      { authenticator, authorizer, events, diagnostics, serviceUsername: 'tightbeam', ...gate },
      {
        authenticatedBy: gate?.authenticatedBy ?? 'tightbeam',
        logged: { publishIn: [], publishOut: [], unsubscribe: false, ...gate?.logged },
      },
    ),
    ...doorOptions,
  });
  const listener = new Listener({
    diagnostics,
    timeoutMs: door.limits.connectTimeoutMs,
    accept: (stream, endpoints) => {
      door.accept(stream, endpoints);
    },
  });
  const port = await listener.listen('127.0.0.1', 0);
  const clients: MqttClient[] = [];
  const sockets: RawClient[] = [];

  const running = {
    mosquitto,
    broker: door,
    events,
    authorizer,
    authenticator,
    logged,
    port,
    /** An MQTT.js client, connected. MQTT 5 unless told otherwise. */
    async connect(clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
      const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
        clientId,
        username: clientId,
        protocolVersion: 5,
        reconnectPeriod: 0,
        ...options,
      });
      client.on('error', () => undefined);
      clients.push(client);
      return client;
    },
    /** A bare socket that speaks MQTT packets, connected, and that does nothing by itself. `behind` goes out with the CONNECT. */
    async raw(clientId: string, connect: Partial<IConnectPacket> = {}, behind: Packet[] = []): Promise<RawClient> {
      const client = running.stranger(connect.protocolVersion ?? 5);
      client.send(connectPacket(clientId, connect), ...behind);
      await client.next('connack');
      return client;
    },
    /** A bare socket without a CONNECT. */
    stranger(version = 5): RawClient {
      const client = new RawClient(port, version);
      sockets.push(client);
      return client;
    },
    async stop(): Promise<void> {
      for (const client of clients) client.end(true);
      for (const socket of sockets) socket.destroy();
      door.close();
      await listener.close();
      await mosquitto.dispose();
    },
  };
  return running;
}

/** The same for tests that were written for the embedded broker. */
export function startAsEmbedded({ provider = {}, broker = {} }: EmbeddedOptions = {}): Promise<Running> {
  const { authorizer } = provider;
  const { limits, receiver, perReceiver, waiting } = broker;
  return startDoor({
    gate: { ...(authorizer && { authorizer }) },
    door: { ...(limits && { limits }), ...(receiver && { receiver }), perReceiver, waiting },
  });
}

export type Running = Awaited<ReturnType<typeof startDoor>>;

export function connectPacket(clientId: string, connect: Partial<IConnectPacket> = {}): IConnectPacket {
  return {
    cmd: 'connect',
    clientId,
    username: clientId,
    protocolVersion: 5,
    protocolId: 'MQTT',
    clean: true,
    keepalive: 0,
    ...connect,
  };
}
