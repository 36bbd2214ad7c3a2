import { scanJson } from '../../policy/reading/json-scanner.js';
import { finish } from '../../policy/work.js';
import { decodeBase64 } from '../properties.js';
import type { SendDirectMessageInput } from '../request.js';

/** What is wrong with a line: the field, where it is one field's fault, and the rule. */
export interface LineFault {
  readonly field?: string | undefined;
  readonly rule: string;
}

type Fields = Record<string, unknown>;

/** What a field must be. */
interface Kind {
  readonly what: string;
  readonly fits: (value: unknown) => boolean;
  /** As SendDirectMessage has it: text. */
  readonly toText: (value: never) => string;
}

const text: Kind = { what: 'text', fits: (value) => typeof value === 'string', toText: (value: string) => value };
const flag: Kind = { what: 'true or false', fits: (value) => typeof value === 'boolean', toText: String };
const whole: Kind = { what: 'a whole number', fits: (value) => Number.isSafeInteger(value), toText: String };
const properties: Kind = {
  what: 'an array of objects with one key each',
  fits: Array.isArray,
  toText: (value: unknown[]) => Buffer.from(JSON.stringify(value)).toString('base64'),
};

/** The fields of a line beside the payload: those of the single call, as JSON has them. */
const FIELDS = {
  clientId: text,
  topic: text,
  confirmation: flag,
  timeout: whole,
  contentType: text,
  responseTopic: text,
  userProperties: properties,
  payloadFormatIndicator: text,
  correlationData: text,
  idempotencyKey: text,
  waitForConnection: whole,
} satisfies { readonly [Name in keyof Omit<SendDirectMessageInput, 'payload'>]-?: Kind };

const PAYLOAD = 'payload';
const PAYLOAD_BASE64 = 'payloadBase64';
const NAMES = [...Object.keys(FIELDS), PAYLOAD, PAYLOAD_BASE64];

/** A surrogate without its other half: no UTF-8 can carry it. */
const UNPAIRED = /\p{Surrogate}/u;

/** Reads a line of a batch: one message, or the first rule that the line breaks. What the fields hold is not looked into. */
export function readMessage(line: string): SendDirectMessageInput | LineFault {
  const scan = finish(scanJson(line, 1));
  if (scan.fault !== undefined) {
    return { rule: `No JSON: expected ${scan.fault.expected} at column ${scan.fault.at + 1}.` };
  }
  const [duplicate] = scan.duplicates;
  // JSON.parse takes the last of two, and who reads it elsewhere the first.
  if (duplicate !== undefined) return { field: duplicate.name, rule: 'The name stands there twice.' };
  const value = JSON.parse(line) as unknown;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { rule: 'Not a JSON object.' };
  return readFields(value as Fields);
}

function readFields(given: Fields): SendDirectMessageInput | LineFault {
  for (const name of Object.keys(given)) {
    if (!NAMES.includes(name)) return { field: name.slice(0, 64), rule: `No such field: ${NAMES.join(', ')}.` };
  }
  const read: Record<string, string> = {};
  for (const [name, kind] of Object.entries(FIELDS)) {
    const value = given[name];
    if (value === undefined) continue;
    if (!kind.fits(value)) return { field: name, rule: `Not ${kind.what}.` };
    read[name] = kind.toText(value as never);
  }
  const { clientId } = read;
  if (clientId === undefined) return { field: 'clientId', rule: 'Missing.' };
  const payload = readPayload(given[PAYLOAD], given[PAYLOAD_BASE64]);
  return 'rule' in payload ? payload : { ...read, clientId, payload };
}

function readPayload(asText: unknown, asBase64: unknown): Uint8Array | LineFault {
  if (asBase64 === undefined) {
    if (asText === undefined) return new Uint8Array();
    if (typeof asText !== 'string' || UNPAIRED.test(asText)) {
      return { field: PAYLOAD, rule: `Not text of Unicode characters; bytes go into ${PAYLOAD_BASE64}.` };
    }
    return Buffer.from(asText);
  }
  if (asText !== undefined) return { field: PAYLOAD_BASE64, rule: `Given beside ${PAYLOAD}: one of them.` };
  const bytes = typeof asBase64 === 'string' ? decodeBase64(asBase64) : null;
  return bytes ?? { field: PAYLOAD_BASE64, rule: 'Not base64.' };
}
