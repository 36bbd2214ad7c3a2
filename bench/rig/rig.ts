import { once } from 'node:events';
import { forkServer } from './fork-server.js';
import type { Held, Ports, Question } from './protocol.js';
import { removeSetting, writeSetting, type Setting } from './setting.js';

/** A service under test in a process of its own. */
export interface Rig {
  readonly setting: Setting;
  readonly ports: Ports;
  held(): Promise<Held>;
  /** Ends the process, and removes what it wrote. */
  stop(): Promise<void>;
}

export interface ForkedRig extends Rig {
  /** Microseconds of CPU that the process has used so far. */
  cpuMicros: () => Promise<number>;
}

/** @throws Error where the service does not start. */
export async function startRig(devices: number): Promise<ForkedRig> {
  const setting = writeSetting(devices);
  const server = forkServer('rig', [JSON.stringify({ ...setting, devices: [] })]);
  const exited = once(server, 'exit');
  const answer = async <T>(): Promise<T> => {
    const [message] = await Promise.race([
      once(server, 'message') as Promise<[T]>,
      exited.then(() => {
        throw new Error('The service under test ended.');
      }),
    ]);
    return message;
  };
  const ask = <T>(question: Question): Promise<T> => {
    server.send(question);
    return answer<T>();
  };
  const stop = async (): Promise<void> => {
    if (server.connected) server.disconnect();
    await exited;
    removeSetting(setting);
  };
  try {
    const ports = await answer<Ports>();
    return {
      setting,
      ports,
      stop,
      held: () => ask<Held>('held'),
      cpuMicros: () => ask<number>('cpu'),
    };
  } catch (error) {
    removeSetting(setting);
    throw error;
  }
}
