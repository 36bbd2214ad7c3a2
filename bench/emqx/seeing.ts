/**
 * What seeing costs: ordinary QoS 1 traffic and connects on an EMQX alone, and with Tightbeam telling of it in several ways; and
 * what happens where the service cannot keep up.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Figures, measure, median, medianRatio } from '../main-job/measure.js';
import { Devices, type Way } from '../main-job/ways.js';
import { print, verdict } from '../report.js';
import { MqttClient } from '../rig/mqtt-client.js';
import type { Rig } from '../rig/rig.js';
import { removeSetting, writeSetting } from '../rig/setting.js';
import { Beside, type Broker } from './beside.js';
import { cpuMicrosOf, listenerOn, residentBytesOf } from './processes.js';
import { overOrdinaryTopics } from './ways.js';

const CLIENTS = 20;
const CONCURRENCY = 128;
const CONNECTS = 16;
/** After a change of the configuration: the plugin asks every three seconds. */
const ASKED_MS = 4_000;

/** Topic filters of what is told. */
const NOTHING = { publishIn: [], publishOut: [], successRatio: 1 };
const EVERYTHING = { publishIn: ['#'], publishOut: ['#'], successRatio: 1 };
const SAMPLE = { ...EVERYTHING, successRatio: 0.01 };

interface Round {
  readonly traffic: Figures;
  /** CPU for one message, in microseconds. */
  readonly brokerMicros: number;
  readonly serviceMicros: number;
  readonly events: number;
  readonly missed: number;
}

const MODES = ['EMQX alone', '(a) no message events', '(b) all of them', '(c) 1 in 100', '(d) hook calls'] as const;
type Mode = (typeof MODES)[number];

/** @param milliseconds for each figure */
export async function seeing(broker: Broker, milliseconds: number, rounds: number, overloadMs: number): Promise<void> {
  const setting = writeSetting(CLIENTS);
  const emqx = listenerOn(broker.mqttPort);
  const rig: Rig = {
    setting,
    ports: { http: 0, mqtt: broker.mqttPort, floor: 0 },
    held: () => Promise.reject(new Error('EMQX is another process')),
    stop: () => Promise.resolve(),
  };
  const service = await Beside.start(broker, setting, 1);
  const [pid = 0] = service.pids;
  const results = new Map<Mode, Round[]>(MODES.map((mode) => [mode, []]));
  const connects = new Map<string, Figures[]>([
    ['tap', []],
    ['hooks', []],
  ]);

  const traffic = async (mode: Mode): Promise<void> => {
    const devices = new Devices();
    await devices.connect(rig);
    const way = await overOrdinaryTopics(mode, rig, CLIENTS);
    await measure(way, CONCURRENCY, milliseconds / 4);
    const before = await service.told();
    const cpu = [cpuMicrosOf(emqx), cpuMicrosOf(pid)] as const;
    const figures = await measure(way, CONCURRENCY, milliseconds);
    const messages = figures.sent ?? NaN;
    const [brokerMicros, serviceMicros] = [cpuMicrosOf(emqx) - cpu[0], cpuMicrosOf(pid) - cpu[1]];
    // What still waits is told in a moment.
    await sleep(500);
    const after = await service.told();
    results.get(mode)?.push({
      traffic: figures,
      brokerMicros: brokerMicros / messages,
      serviceMicros: serviceMicros / messages,
      events: after.events - before.events,
      missed: after.missed - before.missed,
    });
    await way.close();
    await devices.close();
  };
  const connecting = async (name: 'tap' | 'hooks'): Promise<void> => {
    connects.get(name)?.push(await measure(overConnects(name, rig), CONNECTS, milliseconds));
  };

  try {
    for (let round = 0; round < rounds; round += 1) {
      await traffic('EMQX alone');
      await service.install();
      for (const [mode, log] of [
        ['(a) no message events', NOTHING],
        ['(b) all of them', EVERYTHING],
        ['(c) 1 in 100', SAMPLE],
      ] as const) {
        await service.configure(log);
        await sleep(ASKED_MS);
        await traffic(mode);
      }
      await connecting('tap');
      await service.stopPlugin();
      await traffic('(d) hook calls');
      await connecting('hooks');
      if (round < rounds - 1) await service.uninstall();
    }
    await service.startPlugin();
    show(results, connects);
    judge(results, connects);
    await overload(service, rig, { emqx, pid, overloadMs, results });
  } finally {
    await service.stop();
    removeSetting(setting);
  }
}

/** CONNECT to CONNACK, and away again. */
function overConnects(name: string, rig: Rig): Way {
  const { devices, password } = rig.setting;
  return {
    name,
    async send(slot) {
      const clientId = devices[slot % devices.length] ?? '';
      const client = await MqttClient.connectAgain(rig.ports.mqtt, { clientId, username: clientId, password });
      await client.end();
    },
    close: () => Promise.resolve(),
  };
}

interface Load {
  readonly emqx: number;
  readonly pid: number;
  readonly overloadMs: number;
  readonly results: ReadonlyMap<Mode, readonly Round[]>;
}

/** The service is made so slow that it takes half of what there is to tell. */
async function overload(service: Beside, rig: Rig, { emqx, pid, overloadMs, results }: Load): Promise<void> {
  const perSecond = medianOf(results, '(b) all of them', ({ traffic }) => traffic.perSecond);
  await service.configure({ ...EVERYTHING, spinMicros: 1e6 / perSecond });
  await sleep(ASKED_MS);
  const devices = new Devices();
  await devices.connect(rig);
  const way = await overOrdinaryTopics('overload', rig, CLIENTS);
  await measure(way, CONCURRENCY, 2_000);
  const before = { told: await service.told(), emqx: residentBytesOf(emqx), service: residentBytesOf(pid) };
  const figures = await measure(way, CONCURRENCY, overloadMs);
  const after = { emqx: residentBytesOf(emqx), service: residentBytesOf(pid) };
  await way.close();
  await devices.close();
  await service.configure({ ...EVERYTHING, spinMicros: 0 });
  // Until all that waited is told, and what was lost is counted.
  await sleep(2 * ASKED_MS);
  const told = await service.told();
  const happened = told.happened - before.told.happened;
  const sum = told.events - before.told.events + told.missed - before.told.missed;
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
  print('');
  print(
    `overload for ${Math.round(overloadMs / 1000)} s: ${Math.round(figures.perSecond)} messages/s, p99 ${figures.p99.toFixed(2)} ms`,
  );
  print(`  events: ${happened} happened, ${told.missed - before.told.missed} missed`);
  print(
    `  memory: EMQX ${megabytes(before.emqx)} -> ${megabytes(after.emqx)}, service ${megabytes(before.service)} -> ${megabytes(after.service)}`,
  );
  verdict('told + missed = happened', happened - sum, 'at most', 0);
  verdict('overload, something was missed', told.missed - before.told.missed, 'at least', 1);
  const calm = medianOf(results, '(a) no message events', ({ traffic }) => traffic.p99);
  verdict('overload, p99 of the broker against (a)', figures.p99 / calm, 'at most', 1.2);
  verdict('overload, memory of the service after against before', after.service / before.service, 'at most', 1.5);
}

function medianOf(results: ReadonlyMap<Mode, readonly Round[]>, mode: Mode, of: (round: Round) => number): number {
  const sorted = (results.get(mode) ?? []).map(of).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function show(results: ReadonlyMap<Mode, readonly Round[]>, connects: ReadonlyMap<string, readonly Figures[]>): void {
  print('');
  print(`what seeing costs: ordinary QoS 1 traffic of ${CLIENTS} to ${CLIENTS} clients`);
  print(['', 'messages/s', 'p99 ms', 'EMQX us', 'service us', 'us an event', 'events', 'missed'].map(pad).join(''));
  for (const [mode, rounds] of results) {
    const { perSecond, p99 } = median(rounds.map(({ traffic }) => traffic));
    const events = rounds.reduce((sum, round) => sum + round.events, 0);
    const service = medianOf(results, mode, ({ serviceMicros }) => serviceMicros);
    const perEvent = medianOf(
      results,
      mode,
      (round) => (round.serviceMicros * (round.traffic.sent ?? NaN)) / round.events,
    );
    const missed = rounds.reduce((sum, round) => sum + round.missed, 0);
    const cells = [
      Math.round(perSecond),
      p99.toFixed(2),
      medianOf(results, mode, ({ brokerMicros }) => brokerMicros).toFixed(1),
      service.toFixed(1),
      events > 1000 ? perEvent.toFixed(1) : '-',
      events,
      missed,
    ];
    print([mode, ...cells.map(String)].map(pad).join(''));
  }
  for (const [name, rounds] of connects) {
    print(`connects, told of by the ${name}: ${Math.round(median(rounds).perSecond)} a second`);
  }
}

function judge(results: ReadonlyMap<Mode, readonly Round[]>, connects: ReadonlyMap<string, readonly Figures[]>): void {
  const figures = (mode: Mode) => (results.get(mode) ?? []).map(({ traffic }) => traffic);
  const rate = (mode: Mode): number => medianRatio('perSecond', figures(mode), figures('EMQX alone'));
  const cpu = (mode: Mode): number => {
    const alone = results.get('EMQX alone') ?? [];
    const ratios = (results.get(mode) ?? [])
      .map(({ brokerMicros }, index) => brokerMicros / (alone[index]?.brokerMicros ?? NaN))
      .sort((a, b) => a - b);
    return ratios[Math.floor(ratios.length / 2)] ?? NaN;
  };
  const all = '(b) all of them';
  verdict('(a) rate against EMQX alone', rate('(a) no message events'), 'at least', 0.97);
  verdict('(b) rate against EMQX alone', rate(all), 'at least', 0.75);
  verdict('(b) CPU of EMQX for a message, against EMQX alone', cpu(all), 'at most', 1.4);
  const perEvent = medianOf(
    results,
    all,
    (round) => (round.serviceMicros * (round.traffic.sent ?? NaN)) / round.events,
  );
  verdict('(b) CPU of the service for an event, in microseconds', perEvent, 'at most', 8);
  verdict(
    '(b) events missed',
    (results.get(all) ?? []).reduce((sum, { missed }) => sum + missed, 0),
    'at most',
    0,
  );
  verdict('(c) rate against EMQX alone', rate('(c) 1 in 100'), 'at least', 0.95);
  verdict('(c) CPU of EMQX for a message, against EMQX alone', cpu('(c) 1 in 100'), 'at most', 1.08);
  print(`(d) rate against EMQX alone: ${rate('(d) hook calls').toFixed(2)}`);
  const ratio = medianRatio('perSecond', connects.get('tap') ?? [], connects.get('hooks') ?? []);
  verdict('connects, with the tap against with the hooks', ratio, 'at least', 1.3);
}

function pad(text: string): string {
  return text.padEnd(24);
}
