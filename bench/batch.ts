/**
 * A batch against the same messages as single requests, 32 at a time: confirmed messages a second, and what each costs the
 * service and the embedded broker, which are one process; senders and devices are another.
 */
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { takeTurns, medianRatio, median, type Figures } from './main-job/measure.js';
import { Devices, overHttp } from './main-job/ways.js';
import { signHeaders } from './rig/http-client.js';
import { startRig, type ForkedRig } from './rig/rig.js';
import { print, verdict } from './report.js';

const CONCURRENCY = 32;
const DEVICES = 16;
const ROUNDS = 5;
const LINES = 5_000;
const LEAST = 3;
const PAYLOAD = JSON.stringify({ command: 'open', door: 'front', seconds: 30, reason: 'a delivery at the front door' });
const DELIVERED = '"reason":"DELIVERED"';

/** @param args `--quick`: less time for each figure, for a try */
export async function run(args: string[]): Promise<void> {
  const milliseconds = args.includes('--quick') ? 200 : 2_000;
  const lines = args.includes('--quick') ? 500 : LINES;
  const rig = await startRig(DEVICES);
  const devices = new Devices();
  try {
    await devices.connect(rig);
    const single = overHttp('single requests, 32 at a time', rig, [rig.ports.http]);
    const batch = overBatch('one batch', rig, lines);
    const turns = { concurrency: CONCURRENCY, milliseconds, rounds: ROUNDS, cpuMicros: rig.cpuMicros };
    const singles: Figures[] = [];
    const batches: Figures[] = [];
    // One round of each by turns; the first does not count.
    for (let round = 0; round <= ROUNDS; round += 1) {
      const [of] = (await takeTurns([single], { ...turns, rounds: 1, firstMilliseconds: 1 })).values();
      const ofBatch = await batch();
      if (round === 0 || of?.[0] === undefined) continue;
      singles.push(of[0]);
      batches.push(ofBatch);
    }
    await single.close();
    show(single.name, singles);
    show(`batches of ${lines} lines`, batches);
    verdict('a batch, against single requests at 32', medianRatio('perSecond', batches, singles), 'at least', LEAST);
  } finally {
    await devices.close();
    await rig.stop();
  }
}

function show(name: string, rounds: readonly Figures[]): void {
  const { perSecond, serverMicros = NaN } = median(rounds);
  print(
    `${name.padEnd(32)}${Math.round(perSecond).toLocaleString('en')}/s, ${Math.round(serverMicros)} us of CPU each`,
  );
}

/** Sends one batch, signed beforehand, and reads its outcomes while they come. */
function overBatch(name: string, { setting, ports, cpuMicros }: ForkedRig, lines: number): () => Promise<Figures> {
  const body = Buffer.from(
    Array.from({ length: lines }, (_, index) => {
      const clientId = setting.devices[index % setting.devices.length];
      return `${JSON.stringify({ clientId, topic: 'cmd/open', confirmation: true, payload: PAYLOAD })}\n`;
    }).join(''),
  );
  return async () => {
    const path = '/messages:batch';
    const headers = await signHeaders(ports.http, { path, query: {}, body });
    const cpuBefore = await cpuMicros();
    const start = performance.now();
    const outgoing = request({ host: '127.0.0.1', port: ports.http, method: 'POST', path, headers, agent: false });
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    let delivered = 0;
    let rest = '';
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      const text = rest + chunk.toString('latin1');
      const end = text.lastIndexOf('\n') + 1;
      delivered += text.slice(0, end).split(DELIVERED).length - 1;
      rest = text.slice(end);
    }
    const seconds = (performance.now() - start) / 1_000;
    if (delivered !== lines) throw new Error(`${name}: ${delivered} of ${lines} were delivered.`);
    const serverMicros = ((await cpuMicros()) - cpuBefore) / lines;
    return { perSecond: lines / seconds, p50: NaN, p99: NaN, serverMicros };
  };
}
