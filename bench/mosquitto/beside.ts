import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Ports } from '../../src/app.js';
import { freePort } from '../../test/free-port.js';
import { startMosquitto, type Mosquitto } from '../../test/brokers/mosquitto/mosquitto.js';
import { cpuMicrosOf, listenerOn, residentBytesOf } from '../emqx/processes.js';
import { forkServer } from '../rig/fork-server.js';
import type { Rig } from '../rig/rig.js';
import { removeSetting, writeSetting, type Setting } from '../rig/setting.js';

/** What a broker is given that is to be fast: its limits are not what is measured. */
const FAST = ['set_tcp_nodelay true', 'max_inflight_messages 0', 'max_queued_messages 0', 'persistence false'];

/** CPU so far, in microseconds, and memory in bytes. */
export interface Process {
  cpuMicros(): number;
  residentBytes(): number;
}

/** A Mosquitto that clients reach themselves, and the same behind the door: each is a process of its own. */
export interface Side {
  readonly rig: Rig;
  readonly broker: Process;
}

/** The process with the door. */
export interface Service extends Process {
  /** Has it give back what it does not need. */
  collectGarbage(): Promise<void>;
}

export interface Beside {
  readonly alone: Side;
  readonly door: Side & { readonly service: Service };
  stop(): Promise<void>;
}

/** @throws Error where there is no Mosquitto on this machine, or the service does not start. */
export async function startBeside(devices: number): Promise<Beside> {
  const setting = writeSetting(devices);
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).reverse()) await one();
    removeSetting(setting);
  };
  try {
    const start = async (): Promise<{ readonly port: number; readonly mosquitto: Mosquitto }> => {
      const port = await freePort();
      const mosquitto = await startMosquitto({ config: [...FAST, `listener ${port} 127.0.0.1`] });
      stops.push(() => mosquitto.dispose());
      return { port, mosquitto };
    };
    const [alone, behind] = [await start(), await start()];
    const server = forkServer('mosquitto', [
      JSON.stringify({ ...setting, devices: [] }),
      `unix:${behind.mosquitto.path}`,
    ]);
    stops.push(() => end(server));
    const [ports] = (await Promise.race([
      once(server, 'message'),
      once(server, 'exit').then(() => {
        throw new Error('The service under test ended.');
      }),
    ])) as [Ports];
    return {
      alone: { rig: rigOf(setting, alone.port, 0), broker: processOf(listenerOn(alone.port)) },
      door: {
        rig: rigOf(setting, ports.mqtt ?? 0, ports.http),
        broker: processOf(listenerOn(behind.port)),
        service: {
          ...processOf(server.pid ?? 0),
          collectGarbage: async () => {
            server.send('collect');
            await once(server, 'message');
          },
        },
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || !server.connected) return;
  server.disconnect();
  await once(server, 'exit');
}

function rigOf(setting: Setting, mqtt: number, http: number): Rig {
  return {
    setting,
    ports: { http, mqtt, floor: 0 },
    held: () => Promise.reject(new Error('the broker is another process')),
    stop: () => Promise.resolve(),
  };
}

function processOf(pid: number): Process {
  return { cpuMicros: () => cpuMicrosOf(pid), residentBytes: () => residentBytesOf(pid) };
}
