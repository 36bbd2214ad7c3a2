/**
 * On a real EMQX, in one run on one machine: confirmed messages through HTTP and `$dm/`, against publish and
 * acknowledgement over MQTT, and against what backends do today over HTTP; and what Tightbeam costs ordinary traffic.
 *
 * Needs TIGHTBEAM_EMQX_MQTT_URL, _API_URL, _API_KEY, _API_SECRET and _PLUGINS_DIR, and the plugin package as
 * `npm run build:plugin` makes it. EMQX is left without Tightbeam, as it should be found: part of the run compares with that.
 */
import { memoryOfBatches } from './emqx/batch.js';
import { Beside, type Broker, brokerOfEnvironment } from './emqx/beside.js';
import { seeing } from './emqx/seeing.js';
import { overOrdinaryTopics, overRestApi } from './emqx/ways.js';
import { type Figures, measure, median, medianRatio, takeTurns } from './main-job/measure.js';
import { Devices, overDirectTopic, overHttp, overRequests, overTopics, type Way } from './main-job/ways.js';
import type { Rig } from './rig/rig.js';
import { BACKEND, removeSetting, type Setting, writeSetting } from './rig/setting.js';
import { print, verdict } from './report.js';

const DEVICES = 50;
const CONCURRENCIES = [1, 32, 128, 256];
const ROUNDS = 9;
/** EMQX uses every core, for its REST API too; a process of the service uses one. */
const REPLICAS = 2;
/** How often ordinary traffic is measured with and without Tightbeam, by turns; and how often in each turn. */
const TURNS = 4;
const ORDINARY_ROUNDS = 4;

const HTTP = 'HTTP, SigV4, confirmed';
const HTTP_REPLICAS = `HTTP, ${REPLICAS} replicas`;
const DIRECT = '$dm/, ordinary client';
const DIRECT_SERVICE = "$dm/, service's own user";
const MQTT_WAY = 'MQTT: publish + ack topic';
const REST_WAY = 'REST publish + ack topic';
const REQUESTS = 'requests over HTTP';
const REQUESTS_REPLICAS = `requests, ${REPLICAS} replicas`;
const ORDINARY = 'ordinary QoS 1 traffic';

/** Every round, by the name of the way and by how many were under way at the same time. */
type Results = Map<string, Map<number, readonly Figures[]>>;

/** @param args `--quick`: less time for each figure, for a try; `--seeing`: only what seeing costs; `--requests`: only requests; `--batch`: only the memory of batches */
export async function run(args: string[]): Promise<void> {
  const quick = args.includes('--quick');
  const milliseconds = quick ? 300 : 1_000;
  const broker = brokerOfEnvironment();
  if (args.includes('--batch')) {
    await memoryOfBatches(broker);
    return;
  }
  const onlyRequests = args.includes('--requests');
  if (!onlyRequests) await seeing(broker, quick ? 2_000 : 5_000, quick ? 1 : 3, quick ? 10_000 : 60_000);
  if (args.includes('--seeing')) return;
  const setting = writeSetting(DEVICES);
  try {
    const service = await Beside.start(broker, setting, REPLICAS);
    const bare: Figures[] = [];
    const installed: Figures[] = [];
    const results: Results = new Map();
    try {
      if (onlyRequests) {
        await service.install();
        await confirmed(service, setting, broker, milliseconds, results, onlyRequests);
        show(results);
        judgeRequests(results);
        return;
      }
      for (let turn = 0; turn < TURNS; turn += 1) {
        bare.push(...(await ordinary(broker, setting, milliseconds)));
        await service.install();
        installed.push(...(await ordinary(broker, setting, milliseconds)));
        if (turn < TURNS - 1) await service.uninstall();
      }
      await confirmed(service, setting, broker, milliseconds, results, false);
    } finally {
      await service.stop();
    }
    show(results);
    judge(results, median(bare), median(installed));
  } finally {
    removeSetting(setting);
  }
}

async function ordinary(broker: Broker, setting: Setting, milliseconds: number): Promise<Figures[]> {
  const devices = new Devices();
  const rig = rigOf(setting, broker, 0);
  await devices.connect(rig);
  const way = await overOrdinaryTopics(ORDINARY, rig);
  const rounds: Figures[] = [];
  await measure(way, 128, milliseconds);
  for (let round = 0; round < ORDINARY_ROUNDS; round += 1) rounds.push(await measure(way, 128, milliseconds));
  await way.close();
  await devices.close();
  return rounds;
}

async function confirmed(
  { ports }: Beside,
  setting: Setting,
  broker: Broker,
  milliseconds: number,
  results: Results,
  onlyRequests: boolean,
): Promise<void> {
  const rig = rigOf(setting, broker, ports[0]?.http ?? 0);
  const devices = new Devices();
  await devices.connect(rig);
  // Those that are compared stand beside each other.
  const replicas = ports.map(({ http }) => http);
  const messages = async (): Promise<Way[]> => [
    await overDirectTopic(DIRECT_SERVICE, rig, setting.serviceUser),
    await overDirectTopic(DIRECT, rig, { username: BACKEND, password: setting.password }),
    await overTopics(MQTT_WAY, rig, devices, 1),
    overHttp(HTTP, rig, [rig.ports.http]),
  ];
  const ways: Way[] = [
    ...(onlyRequests ? [] : await messages()),
    overHttp(HTTP_REPLICAS, rig, replicas),
    await overRestApi(REST_WAY, rig, broker),
    overRequests(REQUESTS_REPLICAS, rig, replicas),
    overRequests(REQUESTS, rig, [rig.ports.http]),
  ];
  for (const way of ways) results.set(way.name, new Map());
  for (const concurrency of CONCURRENCIES) {
    const turns = { concurrency, milliseconds, rounds: ROUNDS };
    for (const [{ name }, figures] of await takeTurns(ways, turns)) results.get(name)?.set(concurrency, figures);
  }
  await Promise.all(ways.map((way) => way.close()));
  await devices.close();
}

function rigOf(setting: Setting, { mqttPort }: Broker, http: number): Rig {
  return {
    setting,
    ports: { http, mqtt: mqttPort, floor: 0 },
    held: () => Promise.reject(new Error('EMQX is another process')),
    stop: () => Promise.resolve(),
  };
}

function show(results: Results): void {
  print('confirmed messages a second (p50 / p99 in milliseconds), by how many are under way at the same time');
  print(['', ...CONCURRENCIES.map(String)].map(pad).join(''));
  for (const [name, row] of results)
    print([name, ...[...row.values()].map((rounds) => cell(median(rounds)))].map(pad).join(''));
}

const ratioOf =
  (results: Results) =>
  (figure: 'perSecond' | 'p50', name: string, other: string, concurrency: number): number =>
    medianRatio(figure, results.get(name)?.get(concurrency) ?? [], results.get(other)?.get(concurrency) ?? []);

/** Both ways bring the device's answer. */
function judgeRequests(results: Results): void {
  const ratio = ratioOf(results);
  for (const concurrency of [32, 128]) {
    const value = ratio('perSecond', REQUESTS_REPLICAS, REST_WAY, concurrency);
    verdict(`requests against the REST way, answers/s at ${concurrency}`, value, 'at least', 1.5);
  }
  verdict('requests against the REST way, p50 at 1', ratio('p50', REQUESTS, REST_WAY, 1), 'at most', 0.8);
}

function judge(results: Results, bare: Figures, installed: Figures): void {
  const ratio = ratioOf(results);
  print('');
  print(`${ORDINARY}, 128 at a time: ${cell(bare)} without Tightbeam, ${cell(installed)} with it`);
  // At 1 latency alone counts, and has its own bound.
  for (const concurrency of [32, 256]) {
    const value = ratio('perSecond', DIRECT, MQTT_WAY, concurrency);
    verdict(`$dm/ against the MQTT way, messages/s at ${concurrency}`, value, 'at least', 1.4);
  }
  verdict('$dm/ against the MQTT way, p50 at 1', ratio('p50', DIRECT, MQTT_WAY, 1), 'at most', 0.75);
  for (const concurrency of [32, 128]) {
    const value = ratio('perSecond', HTTP_REPLICAS, REST_WAY, concurrency);
    verdict(`HTTP against the REST way, messages/s at ${concurrency}`, value, 'at least', 1.3);
  }
  verdict('HTTP against the REST way, p50 at 1', ratio('p50', HTTP, REST_WAY, 1), 'at most', 1);
  judgeRequests(results);
  verdict(`${ORDINARY}, with against without`, installed.perSecond / bare.perSecond, 'at least', 0.95);
}

function cell({ perSecond, p50, p99 }: Figures): string {
  return `${Math.round(perSecond).toLocaleString('en')} (${p50.toFixed(2)} / ${p99.toFixed(2)})`;
}

function pad(text: string): string {
  return text.padEnd(28);
}
