import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../free-port.js';

/** Whether Debian's `prometheus` package (or another Prometheus) is there. CI installs it. */
export function hasPrometheus(): boolean {
  try {
    execFileSync('prometheus', ['--version'], { stdio: 'ignore' });
    execFileSync('promtool', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A real Prometheus that scrapes one target every half second. */
export class Prometheus {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tightbeam-prometheus-'));
  readonly #url: string;
  readonly #process: ChildProcess;

  private constructor(port: number, target: string) {
    const config = join(this.#folder, 'prometheus.yml');
    // JSON is YAML.
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: '500ms', scrape_timeout: '500ms' },
        scrape_configs: [{ job_name: 'tightbeam', static_configs: [{ targets: [target] }] }],
      }),
    );
    this.#url = `http://127.0.0.1:${port}`;
    this.#process = spawn(
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(this.#folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=error',
      ],
      { stdio: 'inherit' },
    );
  }

  static async start(target: string): Promise<Prometheus> {
    const prometheus = new Prometheus(await freePort(), target);
    await prometheus.#until(async () => (await fetch(`${prometheus.#url}/-/ready`)).ok);
    return prometheus;
  }

  /** The result vector of a query. Throws where Prometheus refuses the query. */
  async query(expr: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]> {
    const response = await fetch(`${this.#url}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query: expr }),
    });
    const answer = (await response.json()) as { status: string; error?: string; data: { result: [] } };
    if (answer.status !== 'success') throw new Error(`${expr}: ${answer.error ?? ''}`);
    return answer.data.result;
  }

  /** Waits until the target was scraped this often, with success. */
  async scraped(times: number): Promise<void> {
    await this.#until(async () => (await this.scrapes()) >= times);
  }

  /** How often the target was scraped, with success. */
  async scrapes(): Promise<number> {
    const [scrapes] = await this.query('sum_over_time(up{job="tightbeam"}[1m])');
    return Number(scrapes?.value[1] ?? 0);
  }

  async stop(): Promise<void> {
    this.#process.kill();
    await once(this.#process, 'exit');
    rmSync(this.#folder, { recursive: true });
  }

  /** Prometheus tells nobody when it is ready or has scraped: asking again is the only way. */
  async #until(holds: () => Promise<boolean>): Promise<void> {
    for (;;) {
      if (this.#process.exitCode !== null) throw new Error(`Prometheus ended with ${this.#process.exitCode}.`);
      if (await holds().catch(() => false)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
