import { OUTCOME_REPORTS } from '../../src/exhook/outcome-report.js';
import { TAP_TOPIC } from '../../src/exhook/tap/tap.js';
import type { TapWishes } from '../../src/exhook/tap/wishes.js';
import { meta, type startProvider } from './harness.js';

type Harness = Awaited<ReturnType<typeof startProvider>>;

export const wishes: TapWishes = {
  publishIn: ['a/#', 'b/+'],
  publishOut: [],
  publishAck: ['a/#'],
  dropped: ['#'],
  noSubscribers: [],
  unsubscribe: true,
  sessions: true,
  lifecycleEvents: false,
  clients: ['lock-*'],
  successRatio: 0.25,
  topicGroups: { doors: ['door/#', 'gate/#'] },
};

export const message = (topic: string, payload: Buffer) => ({
  node: meta.node,
  id: '0',
  qos: 0,
  from: 'tightbeam',
  topic,
  payload,
  timestamp: '0',
  headers: {},
});

/** As the plugin asks. */
export const ask = (harness: Harness) =>
  harness.call('v2', 'OnMessagePublish', {
    message: message(TAP_TOPIC, Buffer.from('tightbeam-tap\t1\t0.1.0\t')),
    meta,
  });

/** As the plugin tells. */
export const tell = (harness: Harness, ...entries: object[]) =>
  harness.call('v2', 'OnMessageDropped', {
    message: message('$dm/outcomes', Buffer.from(JSON.stringify(entries))),
    reason: OUTCOME_REPORTS,
    meta,
  });

export const at = 1_700_000_000_123;
export const client = {
  clientid: 'lock-17',
  username: 'lock-17',
  peerhost: '10.0.0.17',
  peerport: 50123,
  protoVer: 5,
};
