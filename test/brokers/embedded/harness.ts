import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { generate, parser, type IConnectPacket, type IPublishPacket, type Packet } from 'mqtt-packet';
import { connect as connectSocket, type Socket } from 'node:net';
import { createEmbeddedBroker } from '../../../src/brokers/embedded/broker.js';
import type { EmbeddedBroker, EmbeddedBrokerOptions } from '../../../src/brokers/embedded/embedded-broker.js';
import type { HookProviderOptions } from '../../../src/exhook/provider.js';
import { startProvider } from '../../exhook/harness.js';

export interface StartOptions {
  readonly provider?: Partial<HookProviderOptions>;
  readonly broker?: Partial<EmbeddedBrokerOptions>;
}

/** What stands where the embedded broker does: see `testInstead`. */
let starter: (options?: StartOptions) => Promise<Running> = startEmbedded;

/** Lets the tests that are imported from now on run against another broker with the direct topic. */
export function testInstead(start: (options?: StartOptions) => Promise<unknown>): void {
  starter = start as typeof starter;
}

/** Tests of what the embedded broker alone has: its hook calls. */
export function embeddedOnly(register: () => void): void {
  if (starter === startEmbedded) register();
}

/** The broker under test: the embedded one, unless told otherwise. */
export function startBroker(options?: StartOptions): Promise<Running> {
  return starter(options);
}

/** A broker with a hook provider behind it, both on free ports, and clients that are gone with it. */
async function startEmbedded({ provider: providerOptions, broker: brokerOptions }: StartOptions = {}) {
  const provider = await startProvider(providerOptions);
  const logged: unknown[][] = [];
  const broker: EmbeddedBroker = createEmbeddedBroker({
    exhookAddress: `127.0.0.1:${provider.port}`,
    host: '127.0.0.1',
    port: 0,
    serviceUsername: 'tightbeam',
    diagnostics: (...entry) => logged.push(entry),
    authorizationCacheMs: 0,
    ...brokerOptions,
  });
  const port = await broker.start();
  const clients: MqttClient[] = [];
  const sockets: RawClient[] = [];

  return {
    ...provider,
    broker,
    brokerLog: logged,
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
    /** A bare socket that speaks MQTT packets, connected, and that does nothing by itself: no PUBACK above all. `behind` goes out with the CONNECT. */
    async raw(clientId: string, connect: Partial<IConnectPacket> = {}, behind: Packet[] = []): Promise<RawClient> {
      const client = new RawClient(port, connect.protocolVersion ?? 5);
      sockets.push(client);
      client.send(
        {
          cmd: 'connect',
          clientId,
          username: clientId,
          protocolVersion: 5,
          protocolId: 'MQTT',
          clean: true,
          keepalive: 0,
          ...connect,
        },
        ...behind,
      );
      await client.next('connack');
      return client;
    },
    /** A bare socket without a CONNECT. */
    stranger(): RawClient {
      const client = new RawClient(port, 5);
      sockets.push(client);
      return client;
    },
    async stop(): Promise<void> {
      for (const client of clients) client.end(true);
      for (const socket of sockets) socket.destroy();
      await broker.close();
      await provider.stop();
    },
  };
}

export type Running = Awaited<ReturnType<typeof startEmbedded>>;

/** Packets in and out of one socket. */
export class RawClient {
  readonly socket: Socket;
  readonly received: Packet[] = [];
  readonly closed: Promise<void>;
  readonly #version: number;
  #waiting: (() => void)[] = [];
  #ended = false;

  constructor(port: number, version: number) {
    this.#version = version;
    this.socket = connectSocket(port, '127.0.0.1');
    this.socket.on('error', () => undefined);
    const parsing = parser({ protocolVersion: version });
    parsing.on('packet', (packet) => {
      this.received.push(packet);
      this.#wake();
    });
    this.socket.on('data', (chunk) => parsing.parse(chunk));
    this.closed = new Promise((resolve) => {
      this.socket.once('close', () => {
        this.#ended = true;
        this.#wake();
        resolve();
      });
    });
  }

  send(...packets: Packet[]): void {
    this.socket.write(Buffer.concat(packets.map((packet) => generate(packet, { protocolVersion: this.#version }))));
  }

  publish(topic: string, messageId: number, packet: Partial<IPublishPacket> = {}): void {
    this.send({ cmd: 'publish', topic, payload: 'p', qos: 1, dup: false, retain: false, messageId, ...packet });
  }

  /** Acknowledges a PUBLISH of QoS 1. */
  acknowledge({ messageId = 0 }: IPublishPacket, reasonCode = 0): void {
    this.send({ cmd: 'puback', messageId, reasonCode });
  }

  /** Takes the first packet of that kind out of what came or will come. Rejects where the connection ends before. */
  async next<Cmd extends Packet['cmd']>(cmd: Cmd): Promise<Extract<Packet, { cmd: Cmd }>> {
    for (;;) {
      const index = this.received.findIndex((packet) => packet.cmd === cmd);
      if (index >= 0) return this.received.splice(index, 1)[0] as Extract<Packet, { cmd: Cmd }>;
      if (this.#ended) throw new Error(`The connection ended before ${cmd}.`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Resolves when everything sent so far has been handled, which an answered ping shows. */
  async settled(): Promise<void> {
    this.send({ cmd: 'pingreq' });
    await this.next('pingresp');
  }

  destroy(): void {
    this.socket.destroy();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

export interface Received {
  readonly topic: string;
  readonly payload: string;
  readonly packet: IPublishPacket;
}

/** The next message that an MQTT.js client receives. */
export function nextMessage(client: MqttClient): Promise<Received> {
  return new Promise((resolve) => {
    client.once('message', (topic, payload, packet) => {
      resolve({ topic, payload: payload.toString(), packet });
    });
  });
}

/** Publishes a direct message at QoS 1 and gives the reason code of its PUBACK. */
export async function send(
  client: MqttClient,
  topic: string,
  properties: NonNullable<IPublishPacket['properties']> = {},
  payload: string | Buffer = 'p',
): Promise<number> {
  return new Promise((resolve, reject) => {
    client.publish(topic, payload, { qos: 1, properties }, (error) => {
      // MQTT.js gives codes of 0x80 and above as errors with `code`.
      const code = error ? (error as { code?: unknown }).code : 0;
      if (typeof code === 'number') resolve(code);
      else reject(error ?? new Error('no code'));
    });
  });
}
