/** A process of its own: the service as `tightbeam serve` runs it with the door before a broker, its log in a file. */
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { startService } from '../../src/app.js';
import { openFileDestination } from '../../src/telemetry/log/destination.js';
import { collectGarbage } from '../rig/collect-garbage.js';
import { configOf, type Setting } from '../rig/setting.js';

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
  collectGarbage();
  process.send?.('collected');
});
process.send?.(service.ports);
