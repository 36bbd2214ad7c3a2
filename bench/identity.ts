/**
 * What the identity of a delivery costs: confirmed messages with one, each its own, against the same messages without, through
 * both doors, by turns in one run. What is remembered of them stays for minutes, so its bound is reached and kept to as well.
 */
import { randomBytes } from 'node:crypto';
import { median, medianRatio, takeTurns } from './main-job/measure.js';
import { Devices, type Way } from './main-job/ways.js';
import { HttpConnections, signedRequest } from './rig/http-client.js';
import { MqttClient } from './rig/mqtt-client.js';
import { startRig, type ForkedRig } from './rig/rig.js';
import { BACKEND } from './rig/setting.js';
import { print, verdict } from './report.js';

const CONCURRENCY = 32;
const DEVICES = 16;
const ROUNDS = 11;
const LEAST = 0.97;
const TOPIC = 'cmd/open';
const PAYLOAD = JSON.stringify({ command: 'open', door: 'front', seconds: 30, reason: 'a delivery at the front door' });

/** @param args `--quick`: less time for each figure, for a try */
export async function run(args: string[]): Promise<void> {
  const milliseconds = args.includes('--quick') ? 200 : 1_000;
  const rig = await startRig(DEVICES);
  const devices = new Devices();
  try {
    await devices.connect(rig);
    const doors = [
      ['HTTP', overHttp(rig, 'x-unread-entry'), overHttp(rig, 'idempotency-key')],
      ['$dm/', await overMqtt(rig, 'no-id'), await overMqtt(rig, 'dm-id')],
    ] as const;
    for (const [door, without, withOne] of doors) {
      const turns = { concurrency: CONCURRENCY, milliseconds, rounds: ROUNDS, cpuMicros: rig.cpuMicros };
      const rounds = await takeTurns([without, withOne], turns);
      await Promise.all([without.close(), withOne.close()]);
      const [before = [], after = []] = rounds.values();
      for (const [name, figures] of [
        ['without identity', median(before)],
        ['with identity', median(after)],
      ] as const) {
        const { perSecond, serverMicros = NaN } = figures;
        print(
          `${door}, ${name}`.padEnd(28) +
            `${Math.round(perSecond).toLocaleString('en')}/s, ${Math.round(serverMicros)} us of CPU each`,
        );
      }
      verdict(`${door}: with identity, against without`, medianRatio('perSecond', after, before), 'at least', LEAST);
    }
  } finally {
    await devices.close();
    await rig.stop();
  }
}

/** Both have a header more than the signature covers, equally long; only one is read. */
function overHttp({ setting, ports }: ForkedRig, header: string): Way {
  const connections = new HttpConnections();
  let requests: readonly Buffer[] = [];
  let count = 0;
  return {
    name: header,
    async prepare(slots) {
      await connections.open(slots, [ports.http]);
      requests = await Promise.all(
        Array.from({ length: slots }, (_, slot) => {
          const clientId = setting.devices[slot % DEVICES] ?? '';
          return signedRequest(ports.http, { clientId, topic: TOPIC, payload: PAYLOAD });
        }),
      );
    },
    async send(slot) {
      const text = requests[slot]?.toString('latin1') ?? '';
      const status = await connections.request(
        slot,
        Buffer.from(text.replace('\r\n', `\r\n${header}: ${++count}\r\n`), 'latin1'),
      );
      if (status !== 200) throw new Error(`${header}: HTTP status ${status}`);
    },
    close() {
      connections.close();
      return Promise.resolve();
    },
  };
}

/** Both have a user property; only one is read. */
async function overMqtt({ setting, ports }: ForkedRig, property: string): Promise<Way> {
  const login = { username: BACKEND, password: setting.password };
  const clients = await Promise.all(
    Array.from({ length: 4 }, () =>
      MqttClient.connect(ports.mqtt, { ...login, clientId: `backend-${randomBytes(6).toString('hex')}` }),
    ),
  );
  const payload = Buffer.from(PAYLOAD);
  let count = 0;
  return {
    name: property,
    async send(slot) {
      const topic = `$dm/${setting.devices[slot % DEVICES] ?? ''}/${TOPIC}`;
      const userProperties = { [property]: String(++count) };
      const code = await clients[slot % clients.length]?.publish(topic, payload, { userProperties });
      if (code !== 0) throw new Error(`${property}: reason code ${String(code)}`);
    },
    async close() {
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}
