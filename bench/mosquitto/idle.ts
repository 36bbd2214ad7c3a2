import { readFileSync } from 'node:fs';
import { MqttClient } from '../rig/mqtt-client.js';
import type { Rig } from '../rig/rig.js';

/** Connecting at the same time. */
const AT_A_TIME = 50;

/** Devices from one to another by their number, connected and silent. */
export async function connectIdle({ setting, ports }: Rig, from: number, to: number): Promise<MqttClient[]> {
  const clients: MqttClient[] = [];
  for (let first = from; first < to; first += AT_A_TIME) {
    const some = setting.devices.slice(first, Math.min(first + AT_A_TIME, to));
    const login = (clientId: string) => ({ clientId, username: clientId, password: setting.password });
    clients.push(...(await Promise.all(some.map((clientId) => MqttClient.connect(ports.mqtt, login(clientId))))));
  }
  return clients;
}

/** Of a process of this user, as Linux has it (getrlimit(2), RLIMIT_NOFILE). */
export function openFilesAllowed(): number {
  const [, soft = ''] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return Number(soft);
}
