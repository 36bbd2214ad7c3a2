/**
 * What telemetry costs: confirmed direct messages a second through HTTP (SigV4, policies, hooks, embedded broker, a
 * device's PUBACK) with logs, metrics and traces on, as ratios to all of them off. One run, the services side by side
 * and measured in turns, so that a slow moment of the machine falls on all of them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load, type Load } from './telemetry/load.js';
import { BenchService, type Setting } from './telemetry/service.js';
import { print } from './report.js';

const OFF: Setting = { name: 'all off', log: false, metrics: false };
const TARGET: Setting = { name: 'log, metrics, 1 % traces', log: true, metrics: true, traces: 0.01 };
const SETTINGS: readonly Setting[] = [
  OFF,
  // How far its ratio is from 1 is how far the others' may be wrong.
  { name: 'all off, again', log: false, metrics: false },
  { name: 'log', log: true, metrics: false },
  { name: 'metrics', log: false, metrics: true },
  { name: '1 % traces', log: false, metrics: false, traces: 0.01 },
  { name: '100 % traces', log: false, metrics: false, traces: 1 },
  TARGET,
  { name: 'log, metrics, 100 % traces', log: true, metrics: true, traces: 1 },
];
const LEAST_RATIO = 0.85;
const CALLERS = 32;
/** A service that has just begun takes twice the time: its code is not compiled yet. */
const WARM_UP_MESSAGES = 10_000;
/** Short, so that a slow moment of the machine falls on all of them alike. */
const ROUND_MS = 400;

/** @param args `--quick`: fewer rounds, for a try */
export async function run(args: string[]): Promise<void> {
  const rounds = args.includes('--quick') ? 6 : 40;
  const folder = mkdtempSync(join(tmpdir(), 'tightbeam-bench-'));
  const collector = await startCollector();
  const services: BenchService[] = [];
  try {
    for (const setting of SETTINGS)
      services.push(await BenchService.start(setting, CALLERS, folder, collector.endpoint));
    await warmUp(services);
    const loads = new Map<string, Load[]>(SETTINGS.map(({ name }) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      // Each round begins with another one: nobody always follows the same neighbour.
      for (let index = 0; index < services.length; index++) {
        const service = services[(index + round) % services.length];
        if (service) loads.get(service.setting.name)?.push(await load(service, ROUND_MS));
      }
    }
    report(loads);
  } finally {
    await Promise.all(services.map((service) => service.stop()));
    collector.close();
    rmSync(folder, { recursive: true });
  }
}

/** In turns too: what waits long for its turn cools down again. */
async function warmUp(services: readonly BenchService[]): Promise<void> {
  const messages = services.map(() => 0);
  while (Math.min(...messages) < WARM_UP_MESSAGES) {
    for (const [index, service] of services.entries()) {
      messages[index] = (messages[index] ?? 0) + (await load(service, ROUND_MS)).messages;
    }
  }
}

/** Processor time beside throughput: on a machine that has other things to do, it is the steadier of the two. */
function report(loads: ReadonlyMap<string, readonly Load[]>): void {
  const figures = new Map([...loads].map(([name, all]) => [name, figuresOf(all)]));
  const off = figures.get(OFF.name) ?? figuresOf([]);
  print(`confirmed messages through HTTP, ${CALLERS} at a time, ${loads.get(OFF.name)?.length ?? 0} rounds`);
  print(
    `${''.padEnd(28)}${'a second'.padStart(10)}${'ratio'.padStart(7)}${'CPU us each'.padStart(13)}${'ratio'.padStart(7)}`,
  );
  for (const [name, { perSecond, cpuMicros }] of figures) {
    const [ratio, cpuRatio] = [perSecond / off.perSecond, off.cpuMicros / cpuMicros];
    print(
      name.padEnd(28) +
        perSecond.toFixed(0).padStart(10) +
        ratio.toFixed(2).padStart(7) +
        cpuMicros.toFixed(0).padStart(13) +
        cpuRatio.toFixed(2).padStart(7),
    );
  }
  const reached = (figures.get(TARGET.name)?.perSecond ?? 0) / off.perSecond;
  const good = reached >= LEAST_RATIO;
  print(`${TARGET.name}: ${reached.toFixed(2)} of all off, at least ${LEAST_RATIO}: ${good ? 'yes' : 'NO'}`);
  if (!good) process.exitCode = 1;
}

function figuresOf(all: readonly Load[]): { readonly perSecond: number; readonly cpuMicros: number } {
  const sum = (of: (one: Load) => number): number => all.reduce((total, one) => total + of(one), 0);
  const messages = sum((one) => one.messages);
  return {
    perSecond: messages / sum((one) => one.seconds),
    cpuMicros: (sum((one) => one.cpuSeconds) / messages) * 1e6,
  };
}

/** Takes what is exported and throws it away. */
async function startCollector(): Promise<{ readonly endpoint: string; close(): void }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
