import { generate, parser, type IConnectPacket, type IPublishPacket, type Packet } from 'mqtt-packet';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gatherWrites } from '../../src/brokers/link/gather-writes.js';

const MQTT5 = { protocolVersion: 5 } as const;
const LAST_PACKET_ID = 0xffff;

export interface Login {
  readonly clientId: string;
  readonly username: string;
  readonly password: string;
}

/**
 * An MQTT 5 client with as little of its own as can be, so that figures are the broker's. Its socket sends at once: with
 * Nagle's algorithm, packets that follow each other would wait for the peer's delayed ACK.
 */
export class MqttClient {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  /** Every PUBLISH that comes in. */
  onPublish: (packet: IPublishPacket) => void = () => undefined;
  readonly #unanswered = new Map<number, (packet: Packet) => void>();
  #connack: ((packet: Packet) => void) | undefined;
  #lastPacketId = 0;

  private constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.once('close', () => {
        resolve();
      });
    });
    const parsing = parser(MQTT5);
    parsing.on('packet', (packet) => {
      this.#receive(packet);
    });
    this.socket.on('data', (chunk) => parsing.parse(chunk));
  }

  /** The same with a client ID that was connected a moment ago: EMQX refuses it (0x89) until it has cleared that away. */
  static async connectAgain(port: number, login: Login): Promise<MqttClient> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await MqttClient.connect(port, login);
      } catch (error) {
        if (attempt === 50) throw error;
        await sleep(100);
      }
    }
  }

  /** @throws Error where the broker refuses, or the connection ends before it answers. */
  static async connect(port: number, { password, ...login }: Login): Promise<MqttClient> {
    const client = new MqttClient(port);
    await once(client.socket, 'connect');
    const packet: IConnectPacket = {
      ...MQTT5,
      ...login,
      cmd: 'connect',
      protocolId: 'MQTT',
      password: Buffer.from(password),
      clean: true,
      keepalive: 0,
    };
    const answer = await Promise.race([
      new Promise<Packet>((resolve) => {
        client.#connack = resolve;
        client.send(packet);
      }),
      client.closed,
    ]);
    if (answer?.cmd !== 'connack' || answer.reasonCode !== 0) {
      const why = answer?.cmd === 'connack' ? `reason code ${answer.reasonCode ?? 0}` : 'the connection was closed';
      throw new Error(`${login.clientId} was not let in: ${why}.`);
    }
    return client;
  }

  send(packet: Packet): void {
    gatherWrites(this.socket);
    this.socket.write(generate(packet, MQTT5));
  }

  /** Publishes at QoS 1 and gives the reason code of the PUBACK. */
  publish(topic: string, payload: Buffer, properties: NonNullable<IPublishPacket['properties']> = {}): Promise<number> {
    const messageId = this.#nextPacketId();
    return new Promise((resolve) => {
      this.#unanswered.set(messageId, (packet) => {
        resolve(packet.cmd === 'puback' ? (packet.reasonCode ?? 0) : NaN);
      });
      this.send({ cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false, messageId, properties });
    });
  }

  /** Subscribes at QoS 1. @throws Error where that is not granted. */
  async subscribe(topic: string): Promise<void> {
    const messageId = this.#nextPacketId();
    const answer = await new Promise<Packet>((resolve) => {
      this.#unanswered.set(messageId, resolve);
      this.send({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos: 1, nl: false, rap: false, rh: 0 }] });
    });
    if (answer.cmd !== 'suback' || answer.granted[0] !== 1) throw new Error(`${topic} was not granted.`);
  }

  acknowledge({ messageId = 0 }: IPublishPacket): void {
    this.send({ cmd: 'puback', messageId });
  }

  async end(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }

  #receive(packet: Packet): void {
    if (packet.cmd === 'publish') {
      this.onPublish(packet);
    } else if (packet.cmd === 'connack') {
      this.#connack?.(packet);
    } else if (packet.messageId !== undefined) {
      const resolve = this.#unanswered.get(packet.messageId);
      this.#unanswered.delete(packet.messageId);
      resolve?.(packet);
    }
  }

  #nextPacketId(): number {
    do {
      this.#lastPacketId = (this.#lastPacketId % LAST_PACKET_ID) + 1;
    } while (this.#unanswered.has(this.#lastPacketId));
    return this.#lastPacketId;
  }
}
