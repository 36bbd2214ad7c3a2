import type { MqttClient } from 'mqtt';
import { type Bench, type SendResult, until } from './bench.js';

/** What became of one request of the load. */
interface Request {
  readonly payload: string;
  readonly clientId: string;
  readonly results: SendResult[];
}

const ACKING = 12;
const MUTE = 2;
const SENDERS = 16;

/**
 * A steady load over HTTP, while something breaks: to devices that acknowledge, one of which comes and goes all the
 * time, to devices that never do, and to nobody.
 */
export class Load {
  readonly #requests: Request[] = [];
  /** Payloads that a device has been given and has acknowledged (or tried to, on a connection that just broke). */
  readonly #acknowledged = new Set<string>();
  readonly #devices = new Map<string, MqttClient>();
  #running = true;
  #workers: Promise<unknown>[] = [];

  private constructor(
    private readonly bench: Bench,
    private readonly urls: readonly string[],
  ) {}

  /** @param urls the nodes over which the devices are spread. */
  static async start(bench: Bench, urls: readonly string[] = [bench.emqx.mqttUrl]): Promise<Load> {
    const load = new Load(bench, urls);
    for (let index = 0; index < ACKING; index += 1) await load.#connect(`load-${index}`);
    for (let index = 0; index < MUTE; index += 1) {
      await load.#connect(`mute-${index}`, { customHandleAcks: () => undefined });
    }
    load.#workers = [...Array.from({ length: SENDERS }, (_, index) => load.#send(index)), load.#flap()];
    return load;
  }

  get size(): number {
    return this.#requests.length;
  }

  /** Until `count` more requests have been delivered: the system works again. */
  async delivered(count: number, withinMs = 120_000): Promise<void> {
    const wanted = this.#successes() + count;
    await until(() => this.#successes() >= wanted, withinMs);
  }

  /**
   * Ends the load and says what must never be: a success that no device acknowledged, a request with no answer or two.
   *
   * @returns the violations; none is what is right.
   */
  async stop(): Promise<{ readonly violations: readonly string[]; readonly statuses: Record<number, number> }> {
    this.#running = false;
    await Promise.all(this.#workers);
    await Promise.all([...this.#devices.values()].map((device) => device.endAsync(true)));
    const statuses: Record<number, number> = {};
    const violations: string[] = [];
    for (const { payload, clientId, results } of this.#requests) {
      if (results.length !== 1) violations.push(`${payload} to ${clientId}: ${results.length} answers`);
      for (const { status } of results) {
        statuses[status] = (statuses[status] ?? 0) + 1;
        if (status === 200 && !this.#acknowledged.has(payload))
          violations.push(`${payload} to ${clientId}: 200 without a PUBACK`);
      }
    }
    return { violations, statuses };
  }

  #successes(): number {
    return this.#requests.filter(({ results }) => results[0]?.status === 200).length;
  }

  async #connect(clientId: string, options: object = {}): Promise<void> {
    const url = this.urls[this.#devices.size % this.urls.length];
    // While the broker starts, the guard refuses; a device tries again.
    const persistent = { reconnectPeriod: 100, reconnectOnConnackError: true };
    const device = await this.bench.connect(clientId, { ...persistent, ...options }, url);
    // The message event comes just before the PUBACK; a mute device does not get that far.
    if (clientId.startsWith('load-'))
      device.on('message', (_topic, payload) => this.#acknowledged.add(payload.toString()));
    this.#devices.set(clientId, device);
  }

  async #send(worker: number): Promise<void> {
    for (let index = 0; this.#running; index += 1) {
      const clientId =
        index % 9 === 7
          ? `mute-${worker % MUTE}`
          : index % 9 === 8
            ? 'load-nobody'
            : `load-${(worker + index) % ACKING}`;
      const request: Request = { payload: `${worker}-${index}`, clientId, results: [] };
      this.#requests.push(request);
      request.results.push(await this.bench.send(clientId, { payload: request.payload, timeout: 1 }));
      // A refused request comes back at once; without a pause it would only heat the processor.
      if (request.results[0]?.status !== 200) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async #flap(): Promise<void> {
    while (this.#running) {
      this.#devices.get('load-0')?.stream.destroy();
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  }
}
