import { createHash } from 'node:crypto';
import { DISCONNECT_REASONS } from '../../observing/disconnect-reasons.js';

/** What the broker's plugin is to tell of, and to count. */
export interface TapWishes {
  /** Topic filters of what was published, written to a client, acknowledged by one, dropped; none: nothing is told. */
  readonly publishIn: readonly string[];
  readonly publishOut: readonly string[];
  readonly publishAck: readonly string[];
  readonly dropped: readonly string[];
  /** Topic filters of messages that nobody subscribes to. */
  readonly noSubscribers: readonly string[];
  readonly unsubscribe: boolean;
  readonly sessions: boolean;
  /** Whether lifecycle events are published as AWS IoT Core does. */
  readonly lifecycleEvents: boolean;
  /** Patterns of client IDs, in which `*` stands for any characters. */
  readonly clients: readonly string[];
  /** Share of messages told, 0..1, chosen by trace id; what went wrong is always told. */
  readonly successRatio: number;
  /** Topic filters by the name of a group, for the metrics. A topic belongs to the first that has it. */
  readonly topicGroups: Readonly<Record<string, readonly string[]>>;
}

/** Of 2^32: a trace is told where its last 32 bits are less. */
const WHOLE = 2 ** 32;

/**
 * As the plugin reads it (emqx-plugin/src/tightbeam_tap_wanted.erl): lines, with tabs between the fields. No value holds
 * either, see the schema of the configuration.
 */
export function writeWishes(wishes: TapWishes): string {
  const lines = [
    ['sample', String(Math.round(wishes.successRatio * WHOLE))],
    ['clients', ...wishes.clients],
    ['event', 'connect'],
    ['event', 'disconnect'],
    ['event', 'subscribe'],
    ['event', 'denied'],
    ...(wishes.unsubscribe ? [['event', 'unsubscribe']] : []),
    ...(wishes.sessions ? [['event', 'session']] : []),
    ...(wishes.lifecycleEvents ? LIFECYCLE : []),
    ...onTopics('publish_in', wishes.publishIn),
    ...onTopics('publish_out', wishes.publishOut),
    ...onTopics('publish_ack', wishes.publishAck),
    ...onTopics('dropped', wishes.dropped),
    ...onTopics('no_subscribers', wishes.noSubscribers),
    ...Object.entries(wishes.topicGroups).map(([name, filters]) => ['group', name, ...filters]),
  ];
  const body = lines.map((fields) => `${fields.join('\t')}\n`).join('');
  const version = createHash('sha256').update(body).digest('hex').slice(0, 16);
  return `tightbeam-tap\t1\t${version}\n${body}`;
}

/** With what the ends of connections are called. */
const LIFECYCLE = [['presence'], ...Object.entries(DISCONNECT_REASONS).map((names) => ['reason', ...names])];

/** Without a filter the plugin would tell of all topics. */
function onTopics(type: string, filters: readonly string[]): string[][] {
  return filters.length === 0 ? [] : [['event', type, ...filters]];
}
