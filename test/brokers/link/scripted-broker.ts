import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import mqttPacket, { type IConnackPacket, type IPublishPacket } from 'mqtt-packet';

export interface Received {
  readonly packet: IPublishPacket;
  /** Sends the PUBACK, now or later. */
  readonly puback: (reasonCode: number) => void;
  /** The connection on which it came. */
  readonly socket: Socket;
  /** Drops that connection. */
  readonly drop: () => void;
}

/**
 * A broker that does just what a test says: it accepts connections, answers probes as told, and hands every other
 * PUBLISH to the test, which decides on the PUBACK.
 */
export class ScriptedBroker {
  probe: 'deliver' | 'route' | 'refuse' | 'ignore' = 'deliver';
  connack: Partial<IConnackPacket> = {};
  connects = 0;
  recording = false;
  onPublish: (received: Received) => void = () => undefined;
  /** Everything that came, byte for byte. */
  readonly bytes: Buffer[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #probeId = 1;

  private constructor() {
    this.#server = createServer((socket) => {
      this.#serve(socket);
    });
  }

  static async start(): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker();
    broker.#server.listen(0, '127.0.0.1');
    await once(broker.#server, 'listening');
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  dropAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Reads no more of what is sent. */
  pauseAll(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  async stop(): Promise<void> {
    this.dropAll();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const write = (packet: mqttPacket.Packet) => socket.write(mqttPacket.generate(packet, { protocolVersion: 5 }));
    const parser = mqttPacket.parser({ protocolVersion: 5 });
    parser.on('packet', (packet) => {
      if (packet.cmd === 'connect') {
        this.connects += 1;
        write({ cmd: 'connack', sessionPresent: false, reasonCode: 0, ...this.connack });
      } else if (packet.cmd === 'pingreq') {
        write({ cmd: 'pingresp' });
      } else if (packet.cmd === 'publish') {
        const puback = (reasonCode: number) => {
          if (packet.qos > 0) write({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode });
        };
        if (packet.topic.endsWith('/tightbeam/probe')) this.#answerProbe(write, puback);
        else this.onPublish({ packet, puback, socket, drop: () => socket.destroy() });
      }
    });
    socket.on('data', (data) => {
      if (this.recording) this.bytes.push(data);
      parser.parse(data);
    });
  }

  #answerProbe(write: (packet: mqttPacket.Packet) => void, puback: (reasonCode: number) => void): void {
    switch (this.probe) {
      case 'deliver':
        write({
          cmd: 'publish',
          topic: 'tightbeam/probe',
          payload: '',
          qos: 1,
          messageId: this.#probeId++,
          dup: false,
          retain: false,
        });
        puback(0);
        break;
      case 'route':
        puback(0x10);
        break;
      case 'refuse':
        puback(0x87);
        break;
      case 'ignore':
        break;
    }
  }
}
