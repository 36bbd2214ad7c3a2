import type { Reason } from '../reasons.js';

/** What a direct message may be. The defaults are those of AWS IoT Core; each can be configured. */
export interface Limits {
  /** Longest client ID, in characters (Unicode code points). */
  readonly clientIdCharacters: number;
  /** Longest topic name, in bytes of UTF-8. */
  readonly topicBytes: number;
  /** Most slashes in a topic name. */
  readonly topicSlashes: number;
  /** Largest payload, in bytes. */
  readonly payloadBytes: number;
  /** Timeout where the sender names none, in milliseconds. */
  readonly defaultTimeoutMs: number;
  /** Longest timeout, in milliseconds. The shortest is 1. */
  readonly maxTimeoutMs: number;
}

export const DEFAULT_LIMITS: Limits = Object.freeze({
  clientIdCharacters: 128,
  topicBytes: 256,
  topicSlashes: 7,
  payloadBytes: 131_072,
  defaultTimeoutMs: 5_000,
  maxTimeoutMs: 15_000,
});

/** Longest timeout of a request, in milliseconds. */
export const MAX_REQUEST_TIMEOUT_MS = 60_000;

/** Longest wait for a connection, in milliseconds. */
export const MAX_WAIT_MS = 300_000;

/** Why something was refused: a reason of the table, and the rule that was broken, for the operator. */
export interface Fault {
  readonly reason: Reason;
  /** Never holds a payload or a secret. */
  readonly details: string;
}

/**
 * What cannot stand in an MQTT string, U+0000 and unpaired surrogates, and what should not: control characters and
 * noncharacters (MQTT 5, section 1.5.4). A receiver may close the connection on any of them, and the one that brings the
 * text to the broker is the service's, shared by all callers: EMQX does with `mqtt.strict_mode`, the default from 6.3 on.
 */
// eslint-disable-next-line no-control-regex -- control characters are what it looks for.
const UNFIT = /[\u0000-\u001f\u007f-\u009f\p{Surrogate}\p{Noncharacter_Code_Point}]/u;
const WILDCARD = /[+#]/;

/** The rule that a text of MQTT breaks, in a sentence that begins with `what`; undefined where it breaks none. */
export function unfitText(what: string, text: string): string | undefined {
  const [found] = UNFIT.exec(text) ?? [];
  if (found === undefined) return undefined;
  const number = found.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0') ?? '';
  return `${what} holds U+${number}: control characters, noncharacters and unpaired surrogates are no text for MQTT.`;
}

/** The fault of a (decoded) client ID, or undefined where it can be that of a device. */
export function checkClientId(clientId: string, limits: Limits): Fault | undefined {
  const fault = (details: string): Fault => ({ reason: 'INVALID_CLIENT_ID', details });
  if (clientId === '') return fault('The client ID is empty.');
  if (clientId.startsWith('$')) return fault('The client ID starts with $.');
  if (longerThan(clientId, limits.clientIdCharacters)) {
    return fault(`The client ID is longer than ${limits.clientIdCharacters} characters.`);
  }
  const unfit = unfitText('The client ID', clientId);
  return unfit === undefined ? undefined : fault(unfit);
}

/** The fault of a topic name on which a device is to receive, or undefined where there is none. */
export function checkTopic(topic: string, limits: Limits): Fault | undefined {
  const fault = (details: string): Fault => ({ reason: 'INVALID_TOPIC', details });
  if (topic === '') return fault('The topic is missing or empty.');
  if (topic.startsWith('$')) return { reason: 'RESERVED_TOPIC', details: 'The topic starts with $.' };
  if (WILDCARD.test(topic)) return fault('The topic holds a wildcard (+ or #).');
  const unfit = unfitText('The topic', topic);
  if (unfit !== undefined) return fault(unfit);
  const bytes = Buffer.byteLength(topic);
  if (bytes > limits.topicBytes) return fault(`The topic has ${bytes} bytes, over the ${limits.topicBytes} allowed.`);
  const slashes = topic.split('/').length - 1;
  if (slashes > limits.topicSlashes) {
    return fault(`The topic has ${slashes} slashes, over the ${limits.topicSlashes} allowed.`);
  }
  return undefined;
}

/** The fault of a payload of that many bytes, or undefined where it fits. */
export function checkPayload(bytes: number, limits: Limits): Fault | undefined {
  if (bytes <= limits.payloadBytes) return undefined;
  return {
    reason: 'PAYLOAD_TOO_LARGE',
    details: `The payload has ${bytes} bytes, over the ${limits.payloadBytes} allowed.`,
  };
}

/** The fault of a timeout in milliseconds, or undefined where it is a whole number within its limits. */
export function checkTimeoutMs(timeoutMs: number, maxTimeoutMs: number): Fault | undefined {
  if (Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= maxTimeoutMs) return undefined;
  return {
    reason: 'INVALID_PARAMETER',
    details: `The timeout is not a whole number of milliseconds from 1 to ${maxTimeoutMs}.`,
  };
}

/** Counts code points only where the number of UTF-16 units leaves it open. */
function longerThan(text: string, characters: number): boolean {
  if (text.length <= characters) return false;
  return text.length > 2 * characters || Array.from(text).length > characters;
}
