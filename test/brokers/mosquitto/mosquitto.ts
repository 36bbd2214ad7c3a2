import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const BINARY = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto'].find((path) =>
  existsSync(path),
);
export const hasMosquitto = BINARY !== undefined;

/** A Mosquitto of its own, on a unix socket in a folder of its own. */
export interface Mosquitto {
  readonly path: string;
  readonly folder: string;
  /** Ends it as a service manager does, with its state saved where it has persistence. */
  stop(): Promise<void>;
  /** Starts it again, with the state that it saved. */
  start(): Promise<void>;
  /** SIGSTOP and SIGCONT: it does nothing for a while. */
  signal(signal: NodeJS.Signals): void;
  dispose(): Promise<void>;
}

export interface MosquittoOptions {
  /** Lines of mosquitto.conf(5) beside the listener. */
  readonly config?: readonly string[];
  /** Names with passwords; with them nobody else is let in. */
  readonly users?: Readonly<Record<string, string>>;
}

/** @throws where there is none on this machine. */
export async function startMosquitto({ config = [], users }: MosquittoOptions = {}): Promise<Mosquitto> {
  if (BINARY === undefined) throw new Error('Mosquitto is not installed on this machine.');
  const folder = mkdtempSync(join(tmpdir(), 'tightbeam-mosquitto-'));
  const path = join(folder, 'mqtt');
  const file = join(folder, 'mosquitto.conf');
  const access = ['allow_anonymous true'];
  if (users !== undefined) {
    const passwords = join(folder, 'passwords');
    writeFileSync(
      passwords,
      Object.entries(users)
        .map((pair) => `${pair.join(':')}\n`)
        .join(''),
    );
    spawnSync('mosquitto_passwd', ['-U', passwords]);
    access.splice(0, 1, 'allow_anonymous false', `password_file ${passwords}`);
  }
  // Started by root, it would become another user, who may not write here.
  const asRoot = userInfo().uid === 0 ? ['user root'] : [];
  writeFileSync(file, [`listener 0 ${path}`, ...access, 'log_type none', ...asRoot, ...config, ''].join('\n'));
  let process: ChildProcess | undefined;

  async function start(): Promise<void> {
    process = spawn(BINARY as string, ['-c', file], { stdio: 'ignore' });
    while (!(await answers(path))) {
      if (process.exitCode !== null) throw new Error(`Mosquitto ended with ${process.exitCode}: see ${file}`);
      await pause(5);
    }
  }

  async function stop(): Promise<void> {
    const running = process;
    process = undefined;
    if (running === undefined || running.exitCode !== null) return;
    running.kill('SIGTERM');
    await once(running, 'exit');
  }

  await start();
  return {
    path,
    folder,
    start,
    stop,
    signal(signal) {
      process?.kill(signal);
    },
    async dispose() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
