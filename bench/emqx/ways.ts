import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import type { Way } from '../main-job/ways.js';
import { MqttClient } from '../rig/mqtt-client.js';
import type { Rig } from '../rig/rig.js';
import { ACKNOWLEDGEMENTS, BACKEND } from '../rig/setting.js';
import type { Broker } from './beside.js';

/** As many as the senders that a bench has at the most. */
const SOCKETS = 256;
const TOPIC = 'cmd/open';
const PAYLOAD = JSON.stringify({ command: 'open', door: 'front', seconds: 30, reason: 'a delivery at the front door' });

/**
 * What backends do today over HTTP: EMQX's REST publish to a topic of the device, which acknowledges on a topic that
 * the backend listens on.
 */
export async function overRestApi(name: string, rig: Rig, broker: Broker): Promise<Way> {
  const { devices, password } = rig.setting;
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS });
  const address = `${ACKNOWLEDGEMENTS}/${randomBytes(4).toString('hex')}`;
  const waiting = new Map<string, () => void>();
  const listener = await MqttClient.connect(rig.ports.mqtt, {
    clientId: `backend-${randomBytes(6).toString('hex')}`,
    username: BACKEND,
    password,
  });
  await listener.subscribe(address);
  listener.onPublish = (packet) => {
    if (packet.qos === 1) listener.acknowledge(packet);
    const correlation = packet.properties?.correlationData?.toString('latin1') ?? '';
    waiting.get(correlation)?.();
    waiting.delete(correlation);
  };
  const authorization = `Basic ${Buffer.from(`${broker.key}:${broker.secret}`).toString('base64')}`;
  const post = (body: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { authorization, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const sent = request(`${broker.apiUrl}/api/v5/publish`, { method: 'POST', agent, headers }, (response) => {
        response.resume().on('end', () => {
          resolve(response.statusCode ?? 0);
        });
      });
      sent.on('error', reject).end(body);
    });
  let count = 0;
  return {
    name,
    async send(slot) {
      const correlation = String(++count);
      const confirmed = new Promise<void>((resolve) => {
        waiting.set(correlation, resolve);
      });
      const device = devices[slot % devices.length] ?? '';
      const status = await post(
        JSON.stringify({
          topic: `devices/${device}/${TOPIC}`,
          qos: 1,
          payload: PAYLOAD,
          properties: { response_topic: address, correlation_data: correlation },
        }),
      );
      if (status !== 200) throw new Error(`${name}: HTTP status ${status}`);
      await confirmed;
    },
    async close() {
      agent.destroy();
      await listener.end();
    },
  };
}

/** Ordinary traffic: PUBLISH at QoS 1 to a topic that a device has subscribed to; confirmed by the broker alone. */
export async function overOrdinaryTopics(name: string, rig: Rig, senders = 4): Promise<Way> {
  const { devices, password } = rig.setting;
  const login = () => ({ clientId: `backend-${randomBytes(6).toString('hex')}`, username: BACKEND, password });
  const backend = await Promise.all(Array.from({ length: senders }, () => MqttClient.connect(rig.ports.mqtt, login())));
  const payload = Buffer.from(PAYLOAD);
  return {
    name,
    async send(slot) {
      const client = backend[slot % backend.length] as MqttClient;
      const code = await client.publish(`devices/${devices[slot % devices.length] ?? ''}/${TOPIC}`, payload);
      if (code !== 0) throw new Error(`${name}: reason code ${code}`);
    },
    async close() {
      await Promise.all(backend.map((client) => client.end()));
    },
  };
}
