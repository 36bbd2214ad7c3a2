/**
 * A process of its own: the service with the embedded broker as `tightbeam dev` runs them, its log in a file; and beside
 * it the floor, the same HTTP server answering a constant to anybody.
 */
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { startService } from '../../src/app.js';
import { DataPlane } from '../../src/http/data-plane.js';
import { openFileDestination } from '../../src/telemetry/log/destination.js';
import { noTracing } from '../../src/observing/tracing.js';
import { collectGarbage } from './collect-garbage.js';
import { noEvents } from './no-events.js';
import type { Held, Ports, Question } from './protocol.js';
import { configOf, type Setting } from './setting.js';

const setting = JSON.parse(process.argv[2] ?? '') as Setting;
const config = configOf(setting);
const logDestination = openFileDestination({ fd: openSync(join(setting.folder, 'log.jsonl'), 'a') });
const service = await startService(config, { broker: 'embedded', logDestination });
const floor = new DataPlane({
  operations: [
    {
      method: 'POST',
      path: '/connections/:clientId/messages',
      answer: () => Promise.resolve({ reason: 'DELIVERED' }),
      refused: () => undefined,
    },
  ],
  authenticators: [
    {
      scheme: 'none',
      authenticate: ({ peer }) => Promise.resolve({ ok: true, identity: peer }),
    },
  ],
  events: noEvents,
  tracing: noTracing,
  payloadBytes: config.limits.payloadBytes,
});

const ports: Ports = {
  http: service.ports.http,
  mqtt: service.ports.mqtt ?? 0,
  floor: await floor.start({ host: '127.0.0.1', port: 0 }),
};
process.on('message', (question: Question) => {
  process.send?.(question === 'held' ? held() : cpuMicros());
});
process.once('disconnect', () => {
  void Promise.all([floor.stop(), service.stop()]).then(() => process.exit(0));
});
process.send?.(ports);

function held(): Held {
  collectGarbage();
  const { connections = 0, pendingMessages = 0 } = service.broker.load ?? {};
  return { connections, pendingMessages, inFlight: service.broker.inFlight, heapBytes: process.memoryUsage().heapUsed };
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
