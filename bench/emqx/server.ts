/** A process of its own: the service as `tightbeam serve` runs it beside EMQX, its log in a file. */
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { startService } from '../../src/app.js';
import type { Config } from '../../src/config/schema.js';
import { openFileDestination, type LogDestination } from '../../src/telemetry/log/destination.js';
import { configOf, type Setting } from '../rig/setting.js';

const setting = JSON.parse(process.argv[2] ?? '') as Setting;
const mqttUrl = process.argv[3] ?? '';
const { broker, ...config } = configOf(setting);
const logDestination = openFileDestination({ fd: openSync(join(setting.folder, 'log.jsonl'), 'a') });
/** What another process may ask of this one. */
export interface Wish {
  readonly log?: Partial<Config['log']>;
  /** So long each line of the log keeps the process busy, in microseconds. */
  readonly spinMicros?: number;
}

let spinMicros = 0;
const slowed: LogDestination = {
  write(line) {
    const until = performance.now() + spinMicros / 1000;
    while (performance.now() < until);
    logDestination.write(line);
  },
  get dropped() {
    return logDestination.dropped;
  },
  close: () => logDestination.close(),
};
// Hooks are for everything, where the plugin is not there.
const all = { ...config.log, publishIn: ['#'] };
let wanted: Config = { ...config, log: all, broker: { ...broker, urls: [mqttUrl] } };
const service = await startService(wanted, {
  broker: 'emqx',
  logDestination: slowed,
  readConfig: () => wanted,
});
process.once('disconnect', () => {
  void service.stop().then(() => process.exit(0));
});
process.on('message', (message: 'ready' | Wish) => {
  if (message === 'ready') {
    process.send?.(service.broker.ready);
    return;
  }
  spinMicros = message.spinMicros ?? spinMicros;
  wanted = { ...wanted, log: { ...wanted.log, ...message.log } };
  void service.reload().then(() => process.send?.(true));
});
process.send?.(service.ports);
