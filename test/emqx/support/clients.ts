import { connect } from 'node:net';
import type { IPublishPacket, MqttClient, Packet } from 'mqtt';
import { generate, type Packet as WirePacket, parser as parserOf } from 'mqtt-packet';

/** The next message that the client gets; `packetreceive` sees it before it is acknowledged. */
export function onceReceived(
  client: MqttClient,
  event: 'message' | 'packetreceive' = 'message',
): Promise<IPublishPacket & { payload: Buffer }> {
  return new Promise((resolve) => {
    const done = (packet: Packet) => {
      if (packet.cmd === 'publish') resolve({ ...packet, payload: Buffer.from(packet.payload) });
    };
    if (event === 'message')
      client.once('message', (_topic, _payload, packet) => {
        done(packet);
      });
    else client.on('packetreceive', done);
  });
}

/** True where nothing arrives for the time. */
export async function silent(client: MqttClient, forMs = 500): Promise<boolean> {
  let heard = false;
  const hear = () => {
    heard = true;
  };
  client.on('message', hear);
  await new Promise((resolve) => setTimeout(resolve, forMs));
  client.off('message', hear);
  return !heard;
}

/** What the broker answered to a PUBLISH: the reason code, or that it hung up without one. */
export type Answer = number | 'closed';

/**
 * Publishes, and reads the answer off the wire: MQTT.js itself takes 0x10 for a success and hides the code.
 *
 * @param properties MQTT 5 properties of the PUBLISH.
 */
export function publish(
  client: MqttClient,
  topic: string,
  payload: string | Buffer = 'hello',
  options: { qos?: 0 | 1 | 2; retain?: boolean; properties?: NonNullable<IPublishPacket['properties']> } = {},
): Promise<Answer> {
  return new Promise((resolve) => {
    const answered = (packet: Packet) => {
      if (packet.cmd === 'puback' || packet.cmd === 'pubrec') settle(packet.reasonCode ?? 0);
    };
    const closed = () => {
      settle('closed');
    };
    const settle = (answer: Answer) => {
      client.off('packetreceive', answered);
      client.off('close', closed);
      resolve(answer);
    };
    client.on('packetreceive', answered);
    client.on('close', closed);
    client.publish(topic, payload, { qos: 1, ...options }, () => undefined);
  });
}

/** What the broker answers to packets of MQTT 5 that are sent in one go, as no library does, until it hangs up. */
export function sentUnasked(url: string, packets: readonly WirePacket[]): Promise<readonly WirePacket[]> {
  const { hostname, port } = new URL(url);
  const answers: WirePacket[] = [];
  const parser = parserOf({ protocolVersion: 5 });
  parser.on('packet', (packet) => answers.push(packet));
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(Buffer.concat(packets.map((packet) => generate(packet, { protocolVersion: 5 }))));
    });
    socket.on('data', (chunk) => parser.parse(chunk));
    socket.on('error', reject);
    socket.on('close', () => {
      resolve(answers);
    });
  });
}

/** The direct topic of a client. */
export const direct = (clientId: string, topic: string): string => `$dm/${encodeURIComponent(clientId)}/${topic}`;
