/**
 * The door before Debian's Mosquitto, in one run on one machine: confirmed messages against publish and acknowledgement
 * over MQTT on a Mosquitto that clients reach themselves; what passing the door costs ordinary messages; connects; and
 * the memory of a connection.
 */
import { type Figures, measure, median, medianRatio, takeTurns } from './main-job/measure.js';
import { Devices, overDirectTopic, overHttp, overTopics, type Way } from './main-job/ways.js';
import { overOrdinaryTopics } from './emqx/ways.js';
import { startBeside, type Beside, type Process, type Side } from './mosquitto/beside.js';
import { connectIdle, openFilesAllowed } from './mosquitto/idle.js';
import { MqttClient } from './rig/mqtt-client.js';
import { BACKEND } from './rig/setting.js';
import { print, verdict } from './report.js';

const DEVICES = 50;
const CONCURRENCIES = [1, 32, 256];
const ORDINARY_IN_FLIGHT = 50;
const CONNECTS_IN_FLIGHT = 16;
const IDLE_CONNECTIONS = 20_000;
/** Files that a service opens beside the two of each connection, its clients' and the broker's. */
const OTHER_FILES = 500;

const HTTP = 'HTTP, SigV4, confirmed';
const DIRECT = '$dm/ through the door';
const MQTT_WAY = 'Mosquitto: publish + ack topic';

/** @param args `--quick`: less time for each figure, for a try */
export async function run(args: string[]): Promise<void> {
  const quick = args.includes('--quick');
  const milliseconds = quick ? 300 : 1_000;
  const rounds = quick ? 3 : 9;
  const beside = await startBeside(DEVICES);
  const devices = { alone: new Devices(), door: new Devices() };
  try {
    await devices.alone.connect(beside.alone.rig);
    await devices.door.connect(beside.door.rig);
    await confirmed(beside, devices.alone, milliseconds, rounds);
    await ordinary(beside, milliseconds, rounds);
    await devices.alone.close();
    await devices.door.close();
    await connects(beside, milliseconds, rounds);
  } finally {
    await beside.stop();
  }
  await idle(Math.min(quick ? 2_000 : IDLE_CONNECTIONS, Math.floor((openFilesAllowed() - OTHER_FILES) / 2)));
}

async function confirmed(
  { alone, door }: Beside,
  acknowledging: Devices,
  milliseconds: number,
  rounds: number,
): Promise<void> {
  const { password } = door.rig.setting;
  const direct = await overDirectTopic(DIRECT, door.rig, { username: BACKEND, password });
  const usual = await overTopics(MQTT_WAY, alone.rig, acknowledging, 1);
  const ways = [direct, usual, overHttp(HTTP, door.rig, [door.rig.ports.http])];
  const cpu = () => Promise.resolve(sum([door.service, door.broker, alone.broker]));
  print(
    'confirmed messages a second (p50 / p99 in ms; CPU of broker and service a message in us), by how many at a time',
  );
  for (const concurrency of CONCURRENCIES) {
    const results = await takeTurns(ways, { concurrency, milliseconds, rounds, cpuMicros: cpu });
    for (const [{ name }, figures] of results)
      print(`${pad(name)}${String(concurrency).padStart(4)}  ${cell(median(figures))}`);
    const ratio = (figure: 'perSecond' | 'p50'): number =>
      medianRatio(figure, results.get(direct) ?? [], results.get(usual) ?? []);
    verdict(
      `$dm/ against the usual way, messages/s at ${concurrency}`,
      ratio('perSecond'),
      'at least',
      concurrency === 1 ? 1 : 1.5,
    );
    if (concurrency === 1) verdict('$dm/ against the usual way, p50 at 1', ratio('p50'), 'at most', 1);
  }
  await Promise.all(ways.map((way) => way.close()));
}

async function ordinary(beside: Beside, milliseconds: number, rounds: number): Promise<void> {
  const { alone, door } = beside;
  const [before, behind] = await Promise.all([
    overOrdinaryTopics('alone', alone.rig),
    overOrdinaryTopics('door', door.rig),
  ]);
  const processes = { alone: alone.broker, service: door.service, behind: door.broker };
  const shares = { alone: [] as number[], service: [] as number[], behind: [] as number[] };
  const results = { alone: [] as Figures[], door: [] as Figures[] };
  for (let round = 0; round <= rounds; round += 1) {
    const one = await costOf(before, processes, milliseconds);
    const other = await costOf(behind, processes, milliseconds);
    // The first does not count.
    if (round === 0) continue;
    results.alone.push(one.figures);
    results.door.push(other.figures);
    shares.alone.push(one.micros.alone);
    shares.service.push(other.micros.service);
    shares.behind.push(other.micros.behind);
  }
  const micros = (values: readonly number[]): string => middle(values).toFixed(1);
  print('');
  print(`ordinary QoS 1 messages, ${ORDINARY_IN_FLIGHT} at a time`);
  print(`${pad('Mosquitto alone')}${cell(median(results.alone))}, CPU ${micros(shares.alone)} us a message`);
  print(
    `${pad('through the door')}${cell(median(results.door))}, CPU of the door ${micros(shares.service)} us, of Mosquitto behind it ${micros(shares.behind)} us`,
  );
  const rate = medianRatio('perSecond', results.door, results.alone);
  verdict('through the door, rate against Mosquitto alone', rate, 'at least', 0.5);
  const share = middle(shares.service.map((service, index) => service / (shares.alone[index] ?? NaN)));
  verdict('CPU of the door for a message, against that of Mosquitto alone', share, 'at most', 1);
  await Promise.all([before.close(), behind.close()]);
}

/** What a message cost each of the processes while it was measured, in microseconds. */
async function costOf<Name extends string>(
  way: Way,
  processes: Readonly<Record<Name, Process>>,
  milliseconds: number,
): Promise<{ readonly figures: Figures; readonly micros: Readonly<Record<Name, number>> }> {
  const names = Object.keys(processes) as Name[];
  const before = names.map((name) => processes[name].cpuMicros());
  const figures = await measure(way, ORDINARY_IN_FLIGHT, milliseconds);
  const micros = names.map((name, index) => [
    name,
    (processes[name].cpuMicros() - (before[index] ?? NaN)) / (figures.sent ?? NaN),
  ]);
  return { figures, micros: Object.fromEntries(micros) as Record<Name, number> };
}

async function connects({ alone, door }: Beside, milliseconds: number, rounds: number): Promise<void> {
  const ways = [overConnects('Mosquitto alone', alone), overConnects('through the door', door)] as const;
  const results = await takeTurns(ways, { concurrency: CONNECTS_IN_FLIGHT, milliseconds, rounds });
  print('');
  for (const [{ name }, figures] of results) {
    print(`connects, ${pad(name)}${Math.round(median(figures).perSecond).toLocaleString('en')} a second`);
  }
  const ratio = medianRatio('perSecond', results.get(ways[1]) ?? [], results.get(ways[0]) ?? []);
  print(`connects through the door against Mosquitto alone: ${ratio.toFixed(2)}`);
}

/** CONNECT to CONNACK, and away again. */
function overConnects(name: string, { rig }: Side): Way {
  const { devices, password } = rig.setting;
  return {
    name,
    async send(slot) {
      const clientId = devices[slot % devices.length] ?? '';
      const client = await MqttClient.connect(rig.ports.mqtt, { clientId, username: clientId, password });
      await client.end();
    },
    close: () => Promise.resolve(),
  };
}

/** With a service of its own, whose heap nothing else has grown. */
async function idle(connections: number): Promise<void> {
  const beside = await startBeside(connections);
  try {
    const { service } = beside.door;
    // What is kept on purpose, compiled code for one, comes with the first thousand.
    const first = await connectIdle(beside.door.rig, 0, 1_000);
    await service.collectGarbage();
    const before = service.residentBytes();
    const others = await connectIdle(beside.door.rig, 1_000, connections);
    const grown = (service.residentBytes() - before) / (connections - 1_000);
    await service.collectGarbage();
    const bytes = (service.residentBytes() - before) / (connections - 1_000);
    print('');
    print(
      `${connections.toLocaleString('en')} idle connections (as many as ${IDLE_CONNECTIONS} or the limit of open files allow)`,
    );
    print(`memory that the service took for a connection, garbage with it: ${(grown / 1_024).toFixed(1)} KB`);
    verdict('memory of the service for a connection, in KB', bytes / 1_024, 'at most', 12);
    await Promise.all([...first, ...others].map((client) => client.end()));
  } finally {
    await beside.stop();
  }
}

function sum(processes: readonly Process[]): number {
  return processes.reduce((total, process) => total + process.cpuMicros(), 0);
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function cell({ perSecond, p50, p99, serverMicros }: Figures): string {
  const cpu = serverMicros === undefined ? '' : `; ${Math.round(serverMicros)} us`;
  return `${Math.round(perSecond).toLocaleString('en')} (${p50.toFixed(2)} / ${p99.toFixed(2)}${cpu})`;
}

function pad(text: string): string {
  return text.padEnd(32);
}
