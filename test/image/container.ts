import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What every container of the suite gets, as docker-compose.yml has it. */
const CONFINED = ['--read-only', '--tmpfs', '/tmp', '--cap-drop', 'all', '--security-opt', 'no-new-privileges'];

export interface ContainerOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Folder of this machine, by folder of the container. */
  readonly mounts?: Readonly<Record<string, string>>;
  /** Default: that of this machine, so that ports of both are on one loopback address. */
  readonly network?: 'host' | 'none';
}

/** One container of an image, its output kept. */
export class Container {
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;
  #lines: string[] = [];
  #waiting: (() => void)[] = [];
  #over = false;

  private static count = 0;

  constructor(image: string, command: readonly string[], options: ContainerOptions = {}) {
    this.#name = `tightbeam-test-${process.pid}-${(Container.count += 1)}`;
    const { environment = {}, mounts = {}, network = 'host' } = options;
    this.#process = spawn('podman', [
      'run',
      ...['--rm', '--name', this.#name, '--network', network, ...CONFINED],
      ...Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
      ...Object.entries(mounts).flatMap(([there, here]) => ['--volume', `${here}:${there}:ro`]),
      image,
      ...command,
    ]);
    this.#ended = once(this.#process, 'close').then(([code]) => {
      this.#over = true;
      this.#wake();
      return code as number | null;
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.#lines.push(line);
        this.#wake();
      });
    }
  }

  /** The first line of its output, written or to come, that holds this text. */
  async line(text: string): Promise<string> {
    for (;;) {
      const found = this.#lines.find((line) => line.includes(text));
      if (found !== undefined) return found;
      if (this.#over) throw new Error(`ended without ${text}:\n${this.output}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Everything that it has written. */
  get output(): string {
    return this.#lines.join('\n');
  }

  /** Its exit status, when it has ended. */
  status(): Promise<number | null> {
    return this.#ended;
  }

  async signal(name: 'TERM' | 'KILL'): Promise<void> {
    await run('podman', ['kill', '--signal', name, this.#name]);
  }

  /** Runs this script with the container's Node, beside its process, and answers what it prints as JSON. */
  async evaluate(script: string): Promise<unknown> {
    const { stdout } = await run('podman', ['exec', this.#name, 'node', '-p', `JSON.stringify((() => {${script}})())`]);
    return JSON.parse(stdout);
  }

  /** Runs the image's own health check; rejects where it says unhealthy. */
  async checkHealth(): Promise<void> {
    await run('podman', ['healthcheck', 'run', this.#name]);
  }

  /** Ends it, where it has not ended. */
  async end(): Promise<void> {
    if (!this.#over) await this.signal('KILL').catch(() => undefined);
    await this.#ended;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
