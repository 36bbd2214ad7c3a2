import { unfitText, type Fault, type Limits } from './limits.js';
import type { DirectProperties } from './message.js';

/** MQTT 5 properties as the data-plane API has them: text, and base64 where a header carries what no header can. */
export interface PropertyTexts {
  readonly contentType?: string | undefined;
  /** A topic name: no wildcards. It may start with `$`: the answer may go wherever the device may publish. */
  readonly responseTopic?: string | undefined;
  /** Base64 of a JSON array of objects with one key each, whose value is text: `[{"name": "value"}, ...]`. */
  readonly userProperties?: string | undefined;
  /** `UNSPECIFIED_BYTES` or `UTF8_DATA`. */
  readonly payloadFormatIndicator?: string | undefined;
  /** Base64 of any bytes. */
  readonly correlationData?: string | undefined;
}

type Invalid = { readonly ok: false } & Fault;

/** A parameter that breaks the rule that `details` names. */
export function invalid(details: string): Invalid {
  return { ok: false, reason: 'INVALID_PARAMETER', details };
}

/** Validates MQTT 5 properties: those that were given, or the first rule that one breaks. */
export function readProperties(
  texts: PropertyTexts,
  limits: Limits,
): { readonly ok: true; readonly properties: DirectProperties } | Invalid {
  const { contentType, responseTopic } = texts;
  const unfit = unfitText('contentType', contentType ?? '') ?? unfitText('responseTopic', responseTopic ?? '');
  if (unfit !== undefined) return invalid(unfit);
  if (responseTopic !== undefined && !isTopicName(responseTopic, limits)) {
    return invalid(`responseTopic is not a topic name of 1 to ${limits.topicBytes} bytes without wildcards.`);
  }
  const indicator = texts.payloadFormatIndicator;
  if (indicator !== undefined && indicator !== 'UTF8_DATA' && indicator !== 'UNSPECIFIED_BYTES') {
    return invalid('The payload format indicator is neither UNSPECIFIED_BYTES nor UTF8_DATA.');
  }
  const correlationData = texts.correlationData === undefined ? undefined : decodeBase64(texts.correlationData);
  if (correlationData === null) return invalid('The correlation data are not base64.');
  const userProperties = texts.userProperties === undefined ? undefined : readUserProperties(texts.userProperties);
  if (typeof userProperties === 'string') return invalid(userProperties);
  return {
    ok: true,
    properties: {
      payloadFormatIndicator: indicator === undefined ? undefined : indicator === 'UTF8_DATA',
      contentType,
      responseTopic,
      correlationData,
      userProperties,
    },
  };
}

/** MQTT 5, section 3.3.2.3.5: a Response Topic is a topic name. */
function isTopicName(text: string, limits: Limits): boolean {
  return text !== '' && Buffer.byteLength(text) <= limits.topicBytes && !/[+#]/.test(text);
}

/** The properties, or the rule that they break. */
function readUserProperties(base64: string): readonly (readonly [name: string, value: string])[] | string {
  const bytes = decodeBase64(base64);
  if (bytes === null) return 'The user properties are not base64.';
  let list: unknown;
  try {
    list = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return 'The user properties are not base64 of JSON.';
  }
  if (!Array.isArray(list)) return 'The user properties are not a JSON array.';
  const properties: (readonly [string, string])[] = [];
  for (const item of list as unknown[]) {
    const [entry, ...others] = typeof item === 'object' && item !== null ? Object.entries(item) : [];
    if (entry === undefined || others.length > 0 || Array.isArray(item)) {
      return 'An item of the user properties is not an object with exactly one key.';
    }
    const [name, value] = entry as [string, unknown];
    if (typeof value !== 'string') return 'The value of a user property is not text.';
    const unfit = unfitText('The name of a user property', name) ?? unfitText('The value of a user property', value);
    if (unfit !== undefined) return unfit;
    properties.push([name, value]);
  }
  return properties;
}

/** Strict: Buffer.from would silently skip what is not base64. Null where it is not. */
export function decodeBase64(text: string): Uint8Array | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}
