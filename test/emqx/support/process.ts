import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Config } from '../../../src/config/schema.js';
import { until } from './bench.js';

const MAIN = join(import.meta.dirname, '../../../dist/cli/main.js');

/** `tightbeam serve` as a process of its own, so that it can be killed. Needs the build. */
export class ServiceProcess {
  #child: ChildProcess | undefined;

  constructor(private readonly config: Config) {}

  async start(): Promise<void> {
    const { http, exhook, broker, policies, credentials } = this.config;
    this.#child = spawn(process.execPath, [MAIN, 'serve'], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: process.env['PATH'],
        TIGHTBEAM_HTTP_PORT: String(http.port),
        TIGHTBEAM_EXHOOK_HOST: exhook.host,
        TIGHTBEAM_EXHOOK_UNVERIFIED_CALLERS: exhook.unverifiedCallers,
        TIGHTBEAM_EXHOOK_PORT: String(exhook.port),
        TIGHTBEAM_METRICS_PORT: '0',
        TIGHTBEAM_POLICIES: policies,
        TIGHTBEAM_CREDENTIALS: credentials,
        TIGHTBEAM_BROKER_URLS: broker.urls.join(','),
        TIGHTBEAM_BROKER_PASSWORD: broker.password,
      },
    });
    const url = `http://127.0.0.1:${http.port}/readyz`;
    await until(async () => (await fetch(url).catch(() => undefined))?.ok === true, 120_000);
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    this.#child = undefined;
    const exited = once(child, 'exit');
    child.kill(signal);
    const [code] = (await exited) as [number | null];
    return code;
  }
}
