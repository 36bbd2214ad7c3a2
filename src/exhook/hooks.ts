import { DIRECT_FILTER } from '../direct/topic.js';
import type { CallName, HookSpec } from './wire.js';

/** Hook names as OnProviderLoaded lists them, with the call that each leads to. */
export const HOOK_CALLS = {
  'client.connect': 'OnClientConnect',
  'client.connack': 'OnClientConnack',
  'client.connected': 'OnClientConnected',
  'client.disconnected': 'OnClientDisconnected',
  'client.authenticate': 'OnClientAuthenticate',
  'client.authorize': 'OnClientAuthorize',
  'client.subscribe': 'OnClientSubscribe',
  'client.unsubscribe': 'OnClientUnsubscribe',
  'session.created': 'OnSessionCreated',
  'session.subscribed': 'OnSessionSubscribed',
  'session.unsubscribed': 'OnSessionUnsubscribed',
  'session.resumed': 'OnSessionResumed',
  'session.discarded': 'OnSessionDiscarded',
  'session.takenover': 'OnSessionTakenover',
  'session.terminated': 'OnSessionTerminated',
  'message.publish': 'OnMessagePublish',
  'message.delivered': 'OnMessageDelivered',
  'message.acked': 'OnMessageAcked',
  'message.dropped': 'OnMessageDropped',
} as const satisfies Record<string, CallName>;

export type HookName = keyof typeof HOOK_CALLS;

/** A hook to register; `topics` are the topic filters of a message hook, empty for all topics. */
export interface Hook {
  readonly name: HookName;
  readonly topics: readonly string[];
}

/**
 * What is always registered. Each hook costs every connection or message a synchronous call, so this is the least that
 * decides about clients and brings home what the broker's plugin tells.
 */
export const REQUIRED_HOOKS: readonly Hook[] = [
  { name: 'client.authenticate', topics: [] },
  { name: 'client.authorize', topics: [] },
  { name: 'message.dropped', topics: [DIRECT_FILTER] },
];

/** What tells of connections where the broker has no plugin that does, or an older one. */
export const LIFECYCLE_HOOKS: readonly Hook[] = [
  { name: 'client.connected', topics: [] },
  { name: 'client.disconnected', topics: [] },
];

/**
 * The hooks of the answer to OnProviderLoaded: each name once, with the topic filters of all entries of that name; an
 * entry without topic filters asks for all topics.
 */
export function mergeHooks(hooks: readonly Hook[]): HookSpec[] {
  const merged = new Map<HookName, string[]>();
  for (const { name, topics } of hooks) {
    const before = merged.get(name);
    if (before === undefined) merged.set(name, [...topics]);
    else if (before.length > 0) merged.set(name, topics.length === 0 ? [] : [...new Set([...before, ...topics])]);
  }
  return [...merged].map(([name, topics]) => ({ name, topics }));
}

/** What is logged beyond that where the broker has no such plugin; each costs a synchronous call a message or unsubscription. */
export interface OptionalEvents {
  /** Topic filters whose publishes are reported. */
  readonly publishIn: readonly string[];
  /** Topic filters whose deliveries are reported. */
  readonly publishOut: readonly string[];
  readonly unsubscribe: boolean;
}

/** The hooks that these events need. A message hook without filters would be for all topics: none is registered then. */
export function optionalHooks({ publishIn, publishOut, unsubscribe }: OptionalEvents): Hook[] {
  return [
    ...(publishIn.length > 0 ? [{ name: 'message.publish', topics: publishIn } as const] : []),
    ...(publishOut.length > 0 ? [{ name: 'message.delivered', topics: publishOut } as const] : []),
    ...(unsubscribe ? [{ name: 'client.unsubscribe', topics: [] } as const] : []),
  ];
}
