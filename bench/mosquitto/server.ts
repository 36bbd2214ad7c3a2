/** A process of its own: the service as `tightbeam serve` runs it with the door before a broker, its log in a file. */
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startService } from '../../src/app.js';
import { openFileDestination } from '../../src/telemetry/log/destination.js';
import { configOf, type Setting } from '../rig/setting.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const setting = JSON.parse(process.argv[2] ?? '') as Setting;
const url = process.argv[3] ?? '';
const config = configOf(setting);
const logDestination = openFileDestination({ fd: openSync(join(setting.folder, 'log.jsonl'), 'a') });
const service = await startService(
  {
    ...config,
    broker: { ...config.broker, kind: 'door', urls: [url] },
    door: { ...config.door, port: 0 },
  },
  { broker: 'door', logDestination },
);
process.once('disconnect', () => {
  void service.stop().then(() => process.exit(0));
});
process.on('message', () => {
  // What finalizers release, a second round collects.
  collectGarbage();
  collectGarbage();
  process.send?.('collected');
});
process.send?.(service.ports);
