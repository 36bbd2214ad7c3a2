import { checkPayload, checkTopic, type Fault, type Limits } from '../direct/limits.js';
import { invalid, readProperties, type PropertyTexts } from '../direct/properties.js';
import type { BrokerMessage } from './broker.js';

/** A value that was read, or the first rule that the request breaks. */
export type Read<T> = { readonly ok: true; readonly value: T } | ({ readonly ok: false } & Fault);

/** The input of Publish as text. */
export interface PublishInput extends PropertyTexts {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** `0` or `1`; `0` where it is not given, as at AWS. */
  readonly qos?: string | undefined;
  /** `true` or `false`; `false` where it is not given. */
  readonly retain?: string | undefined;
  /** Whole seconds, 1 to 4,294,967,295 (MQTT 5, section 3.3.2.3.3). Without it the message never expires. */
  readonly messageExpiry?: string | undefined;
}

/** Which part of a list is asked for, as text. */
export interface PageInput {
  /** 1 to 200; 20 where it is not given, as at AWS. */
  readonly maxResults?: string | undefined;
  /** `nextToken` of the page before. */
  readonly nextToken?: string | undefined;
}

const DEFAULT_RESULTS = 20;
const MAX_RESULTS = 200;
const MAX_EXPIRY_SECONDS = 4_294_967_295;

/** Validates the input of Publish. */
export function readPublish(input: PublishInput, limits: Limits): Read<BrokerMessage> {
  const fault = checkTopic(input.topic, limits) ?? checkPayload(input.payload.byteLength, limits);
  if (fault !== undefined) return { ok: false, ...fault };
  const { topic, payload, qos = '0', messageExpiry } = input;
  if (qos !== '0' && qos !== '1') return invalid('qos is neither 0 nor 1.');
  const retain = readFlag('retain', input.retain);
  if (!retain.ok) return retain;
  const expirySeconds = messageExpiry === undefined ? undefined : readWhole(messageExpiry, MAX_EXPIRY_SECONDS);
  if (messageExpiry !== undefined && expirySeconds === undefined) {
    return invalid(`messageExpiry is not a whole number of seconds from 1 to ${MAX_EXPIRY_SECONDS}.`);
  }
  const read = readProperties(input, limits);
  if (!read.ok) return read;
  const { properties } = read;
  const value = { topic, payload, qos: qos === '1' ? 1 : 0, retain: retain.value, properties } as const;
  return { ok: true, value: { ...value, ...(expirySeconds !== undefined && { expirySeconds }) } };
}

/** Validates a boolean parameter; false where it is not given. */
export function readFlag(name: string, text = 'false'): Read<boolean> {
  if (text !== 'true' && text !== 'false') return invalid(`${name} is neither true nor false.`);
  return { ok: true, value: text === 'true' };
}

/** Validates what part of a list is asked for. */
export function readPage(input: PageInput): Read<{ readonly limit: number; readonly from?: string }> {
  const limit = input.maxResults === undefined ? DEFAULT_RESULTS : readWhole(input.maxResults, MAX_RESULTS);
  if (limit === undefined) return invalid(`maxResults is not a whole number from 1 to ${MAX_RESULTS}.`);
  if (input.nextToken === undefined) return { ok: true, value: { limit } };
  const from = Buffer.from(input.nextToken, 'base64url').toString();
  if (from === '' || toToken(from) !== input.nextToken) return invalid('nextToken is not that of a page before.');
  return { ok: true, value: { limit, from } };
}

/** The token for the page that begins at `from`: opaque to callers, and safe in a URL. */
export function toToken(from: string): string {
  return Buffer.from(from).toString('base64url');
}

function readWhole(text: string, max: number): number | undefined {
  const number = /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
  return number >= 1 && number <= max ? number : undefined;
}
