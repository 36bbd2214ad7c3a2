import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { generate, type IConnectPacket, type IPublishPacket, parser } from 'mqtt-packet';

/** One end of MQTT 5, which answers a PUBLISH as told: whatever a broker and its plugins might do. */
export class FakeBroker {
  connack = 0x00;
  puback: number | undefined = 0x00;
  deliver = true;
  /** Close the connection in place of an answer. */
  hangUp = false;
  readonly connected: IConnectPacket[] = [];
  readonly published: IPublishPacket[] = [];
  /** Told when whoever sent a PUBLISH has taken in all that this broker had to say to it. */
  onHandled: () => void = () => undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((socket) => {
      this.#accept(socket);
    });
  }

  static async start(): Promise<FakeBroker> {
    const broker = new FakeBroker();
    await new Promise<void>((resolve) => broker.#server.listen(0, '127.0.0.1', resolve));
    return broker;
  }

  get url(): string {
    // A stopped broker keeps the address that it had.
    const { port } = this.#address ?? (this.#server.address() as AddressInfo);
    return `mqtt://127.0.0.1:${port}`;
  }
  #address: AddressInfo | undefined;

  async stop(): Promise<void> {
    this.#address = this.#server.address() as AddressInfo;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    const packets = parser({ protocolVersion: 5 });
    const send = (packet: Parameters<typeof generate>[0]) => socket.write(generate(packet, { protocolVersion: 5 }));
    socket.on('data', (chunk) => packets.parse(chunk));
    socket.on('error', () => socket.destroy());
    packets.on('packet', (packet) => {
      if (packet.cmd === 'connect') {
        this.connected.push(packet);
        send({ cmd: 'connack', reasonCode: this.connack, sessionPresent: false });
      }
      if (packet.cmd === 'puback') this.onHandled();
      if (packet.cmd === 'publish') {
        this.published.push(packet);
        if (this.hangUp) {
          socket.destroy();
          return;
        }
        const topic = packet.topic.split('/').slice(2).join('/');
        if (this.puback !== undefined)
          send({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode: this.puback });
        const to = this.deliver ? topic : 'elsewhere';
        send({ cmd: 'publish', topic: to, payload: packet.payload, qos: 1, dup: false, retain: false, messageId: 7 });
      }
    });
  }
}
