import type { Fault } from './limits.js';

/** Where a direct message goes: to one client, which receives it on one topic. */
export interface DirectAddress {
  /** MQTT client ID of the receiver, decoded. */
  readonly targetClientId: string;
  /** Topic name on which the receiver gets it, verbatim. */
  readonly topic: string;
}

const ROOT = '$dm';
const PREFIX = `${ROOT}/`;

/**
 * In the place of the topic, from the service's own user: tell when that client is connected. No device receives on it, and a
 * broker that does not know it refuses it, since it begins with `$`.
 */
export const CONNECTED_TOPIC = '$connected';

/** Everything that can be meant by `$dm/`: direct topics, malformed ones, and filters under it. */
export const DIRECT_FILTER = `${PREFIX}#`;

/** True for `$dm` itself and for everything under it, well-formed or not. */
export function isUnderDirect(topic: string): boolean {
  return topic.startsWith(PREFIX) || topic === ROOT;
}

/**
 * The direct topic of an address: `$dm/{percent-encoded client ID}/{topic}`.
 *
 * @throws URIError where the client ID holds an unpaired surrogate; `checkClientId` finds those first.
 */
export function formatDirectTopic({ targetClientId, topic }: DirectAddress): string {
  return `${PREFIX}${encodeURIComponent(targetClientId)}/${topic}`;
}

/**
 * Takes a direct topic apart. Says only whether the text has the shape: what the parts may be is for `checkClientId`
 * and `checkTopic`. A wildcard in the place of the client ID is a fault here, because `$dm/+/x` is a filter over many
 * clients; the client whose ID really is `+` has the direct topic `$dm/%2B/x`.
 */
export function parseDirectTopic(
  text: string,
): { readonly ok: true; readonly address: DirectAddress } | ({ readonly ok: false } & Fault) {
  if (!text.startsWith(PREFIX)) {
    return { ok: false, reason: 'INVALID_TOPIC', details: `Not a direct topic: it does not start with ${PREFIX}.` };
  }
  const slash = text.indexOf('/', PREFIX.length);
  const encoded = slash < 0 ? text.slice(PREFIX.length) : text.slice(PREFIX.length, slash);
  if (/[+#]/.test(encoded)) {
    return { ok: false, reason: 'INVALID_CLIENT_ID', details: 'A wildcard stands in the place of the client ID.' };
  }
  try {
    const targetClientId = decodeURIComponent(encoded);
    return { ok: true, address: { targetClientId, topic: slash < 0 ? '' : text.slice(slash + 1) } };
  } catch {
    return { ok: false, reason: 'INVALID_CLIENT_ID', details: 'The percent-encoding of the client ID is broken.' };
  }
}
