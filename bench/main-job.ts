/**
 * Confirmed messages to single devices: through HTTP, through `$dm/`, and in the usual way, on one broker and machine,
 * in one run. Service and embedded broker are one process, senders and devices another.
 */
import { compare, type Figures } from './main-job/measure.js';
import { Devices, overDirectTopic, overHttp, overTopics, type Way } from './main-job/ways.js';
import { startRig, type Rig } from './rig/rig.js';
import { BACKEND } from './rig/setting.js';
import { print, verdict } from './report.js';

const CONCURRENCIES = [1, 32, 256];
/** Few, so that the embedded broker seldom has to ask again what it knew for a second: EMQX knows it for a minute. */
const DEVICES = 16;
const ROUNDS = 5;

const HTTP = 'HTTP, SigV4, confirmed';
const FLOOR = 'HTTP floor: a constant';
const DIRECT_SERVICE = "$dm/, service's own user";
const DIRECT_CLIENT = '$dm/, ordinary client';
const USUAL = 'usual way, ack at QoS 1';
const USUAL_QUICK = 'usual way, ack at QoS 0';

type Results = ReadonlyMap<string, ReadonlyMap<number, Figures>>;

/** @param args `--quick`: less time for each figure, for a try; `--only=TEXT`: the ways with that in their name */
export async function run(args: string[]): Promise<void> {
  const milliseconds = args.includes('--quick') ? 200 : 1_000;
  const only = args.find((arg) => arg.startsWith('--only='))?.slice('--only='.length) ?? '';
  const rig = await startRig(DEVICES);
  const devices = new Devices();
  try {
    await devices.connect(rig);
    const ways = (await openWays(rig, devices)).filter(({ name }) => name.includes(only));
    const results = new Map(ways.map(({ name }) => [name, new Map<number, Figures>()]));
    for (const concurrency of CONCURRENCIES) {
      const turns = { concurrency, milliseconds, rounds: ROUNDS, cpuMicros: rig.cpuMicros };
      for (const [{ name }, figures] of await compare(ways, turns)) {
        results.get(name)?.set(concurrency, figures);
      }
    }
    await Promise.all(ways.map((way) => way.close()));
    show(results);
    if (only === '') judge(results);
  } finally {
    await devices.close();
    await rig.stop();
  }
}

async function openWays(rig: Rig, devices: Devices): Promise<Way[]> {
  const { setting, ports } = rig;
  return [
    overHttp(HTTP, rig, [ports.http]),
    overHttp(FLOOR, rig, [ports.floor]),
    await overDirectTopic(DIRECT_SERVICE, rig, setting.serviceUser),
    await overDirectTopic(DIRECT_CLIENT, rig, { username: BACKEND, password: setting.password }),
    await overTopics(USUAL, rig, devices, 1),
    await overTopics(USUAL_QUICK, rig, devices, 0),
  ];
}

function show(results: Results): void {
  print(
    'confirmed messages a second (p50 / p99 in milliseconds; CPU of service and broker in microseconds each), by how many are under way at the same time',
  );
  print(['', ...CONCURRENCIES.map(String)].map(pad).join(''));
  for (const [name, row] of results) print([name, ...[...row.values()].map(cell)].map(pad).join(''));
}

function judge(results: Results): void {
  print('');
  const ratio = (name: string, base: string, concurrency: number): number =>
    (results.get(name)?.get(concurrency)?.perSecond ?? NaN) / (results.get(base)?.get(concurrency)?.perSecond ?? NaN);
  // An ordinary client's outcomes are reported to the service and logged; those of the usual way are not recorded at all.
  for (const direct of [DIRECT_SERVICE, DIRECT_CLIENT]) {
    for (const concurrency of CONCURRENCIES) {
      verdict(`${direct}, at ${concurrency}: against the ${USUAL}`, ratio(direct, USUAL, concurrency), 'at least', 1.3);
    }
  }
  for (const concurrency of CONCURRENCIES) {
    verdict(`${HTTP}, at ${concurrency}: against the floor`, ratio(HTTP, FLOOR, concurrency), 'at least', 1 / 3);
  }
}

function cell({ perSecond, p50, p99, serverMicros = NaN }: Figures): string {
  return `${Math.round(perSecond).toLocaleString('en')} (${p50.toFixed(2)} / ${p99.toFixed(2)}; ${Math.round(serverMicros)})`;
}

function pad(text: string): string {
  return text.padEnd(34);
}
