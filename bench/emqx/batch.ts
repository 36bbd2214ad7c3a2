import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { signHeaders } from '../rig/http-client.js';
import { MqttClient } from '../rig/mqtt-client.js';
import { removeSetting, writeSetting, type Setting } from '../rig/setting.js';
import { print, verdict } from '../report.js';
import { Beside, type Broker } from './beside.js';
import { residentBytesOf } from './processes.js';

const DEVICES = 1_000;
const LINES = 10_000;
/** Of each kind: silent, offline, refusing. */
const ODD = 10;
const BATCHES = 4;
const MOST = 50;
const MEBIBYTE = 2 ** 20;
const REFUSED = 0x97;
const CONNECTING = 50;

/**
 * Memory of the service, a process of its own, while a batch of 10,000 messages goes to 1,000 devices, some of which are
 * silent, offline or refusing; and of the batches after it.
 */
export async function memoryOfBatches(broker: Broker): Promise<void> {
  const setting = writeSetting(DEVICES);
  const service = await Beside.start(broker, setting, 1);
  try {
    await service.install();
    const devices = await connectDevices(setting, broker);
    const [pid = 0] = service.pids;
    const port = service.ports[0]?.http ?? 0;
    const idle = residentBytesOf(pid);
    print(`idle: ${mebibytes(idle)} MiB resident`);
    for (let count = 1; count <= BATCHES; count += 1) {
      // Linux forgets the peak so far (proc(5), clear_refs).
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
      const reasons = await send(port, setting);
      const above = (peakOf(pid) - idle) / MEBIBYTE;
      print(`batch ${count}: peak ${above.toFixed(0)} MiB above idle; ${reasons}`);
      if (count === 1) verdict('peak of the first batch above idle, MiB', above, 'at most', MOST);
    }
    await Promise.all(devices.map((device) => device.end()));
  } finally {
    await service.stop();
    removeSetting(setting);
  }
}

async function connectDevices({ devices, password }: Setting, { mqttPort }: Broker): Promise<MqttClient[]> {
  const clients: MqttClient[] = [];
  for (let first = ODD; first < devices.length; first += CONNECTING) {
    const some = devices.slice(first, first + CONNECTING);
    clients.push(
      ...(await Promise.all(
        some.map((clientId) => MqttClient.connectAgain(mqttPort, { clientId, username: clientId, password })),
      )),
    );
  }
  clients.forEach((client, index) => {
    if (index < ODD) return;
    client.onPublish = (packet) => {
      if (index >= 2 * ODD) client.acknowledge(packet);
      else client.send({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode: REFUSED });
    };
  });
  return clients;
}

/** Sends one batch, and says which reasons came how often. */
async function send(port: number, { devices }: Setting): Promise<string> {
  const lines = Array.from({ length: LINES }, (_, index) => {
    const clientId = devices[index % devices.length];
    return `${JSON.stringify({ clientId, topic: 'cmd/open', confirmation: true, timeout: 1, payload: 'x'.repeat(100) })}\n`;
  });
  const body = Buffer.from(lines.join(''));
  const path = '/messages:batch';
  const headers = await signHeaders(port, { path, query: {}, body });
  const outgoing = request({ host: '127.0.0.1', port, method: 'POST', path, headers, agent: false });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const counts = new Map<string, number>();
  for await (const line of createInterface({ input: incoming })) {
    const { reason } = JSON.parse(line) as { reason: string };
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join(', ');
}

/** Highest resident memory since the peak was forgotten, in bytes. */
function peakOf(pid: number): number {
  return 1_024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(0);
}
