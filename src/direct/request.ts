import { CONTROL_PREFIX, MAX_ID_BYTES } from './controls.js';
import { checkClientId, checkPayload, checkTopic, MAX_WAIT_MS, type Fault, type Limits, unfitText } from './limits.js';
import type { DirectMessage } from './message.js';
import { invalid, readProperties, type PropertyTexts } from './properties.js';

/**
 * The input of SendDirectMessage as text, whichever way it came: decoded from URL and headers, or from a command line.
 * Undefined and absent are the same: not given.
 */
export interface SendDirectMessageInput extends PropertyTexts {
  readonly clientId: string;
  readonly topic?: string | undefined;
  readonly payload: Uint8Array;
  /** `true` or `false`; `false` where it is not given, as at AWS. */
  readonly confirmation?: string | undefined;
  /** Whole seconds, 1 to 15. Ignored, whatever it holds, unless `confirmation` is `true`, as at AWS. */
  readonly timeout?: string | undefined;
  /** Whole seconds, 0 to 300: how long to wait for the device to connect. */
  readonly waitForConnection?: string | undefined;
  /** What repeats of the same message have in common, 1 to 128 bytes of UTF-8; without it there is no telling. */
  readonly idempotencyKey?: string | undefined;
}

/** Validates the input of SendDirectMessage: the message, or the first rule that it breaks. */
export function readDirectMessage(
  input: SendDirectMessageInput,
  limits: Limits,
): { readonly ok: true; readonly message: DirectMessage } | ({ readonly ok: false } & Fault) {
  const topic = input.topic ?? '';
  const fault =
    checkClientId(input.clientId, limits) ??
    checkTopic(topic, limits) ??
    checkPayload(input.payload.byteLength, limits);
  if (fault !== undefined) return { ok: false, ...fault };

  const { confirmation = 'false' } = input;
  if (confirmation !== 'true' && confirmation !== 'false') return invalid('confirmation is neither true nor false.');
  const timeoutMs = confirmation === 'true' ? readTimeout(input.timeout, limits) : limits.defaultTimeoutMs;
  if (timeoutMs === undefined) {
    return invalid(`timeout is not a whole number of seconds from 1 to ${Math.floor(limits.maxTimeoutMs / 1000)}.`);
  }

  const { waitForConnection = '0' } = input;
  const waitMs = Number(/^[0-9]{1,3}$/.test(waitForConnection) ? waitForConnection : NaN) * 1000;
  if (!(waitMs <= MAX_WAIT_MS)) {
    return invalid(`waitForConnection is not a whole number of seconds from 0 to ${MAX_WAIT_MS / 1000}.`);
  }

  const { idempotencyKey: key } = input;
  if (key !== undefined && (key === '' || Buffer.byteLength(key) > MAX_ID_BYTES)) {
    return invalid(`The idempotency key is not 1 to ${MAX_ID_BYTES} bytes of text.`);
  }
  const unfit = key === undefined ? undefined : unfitText('The idempotency key', key);
  if (unfit !== undefined) return invalid(unfit);

  const read = readProperties(input, limits);
  if (!read.ok) return read;
  const { properties } = read;
  if (properties.userProperties?.some(([name]) => name.startsWith(CONTROL_PREFIX))) {
    return invalid(`The name of a user property starts with ${CONTROL_PREFIX}, which is reserved.`);
  }
  return {
    ok: true,
    message: {
      targetClientId: input.clientId,
      topic,
      payload: input.payload,
      confirmation: confirmation === 'true',
      timeoutMs,
      ...(waitMs > 0 && { waitMs }),
      properties,
    },
  };
}

/** Milliseconds, or undefined where the text is no timeout. */
function readTimeout(text: string | undefined, limits: Limits): number | undefined {
  if (text === undefined) return limits.defaultTimeoutMs;
  const timeoutMs = /^[0-9]{1,9}$/.test(text) ? Number(text) * 1000 : 0;
  return timeoutMs >= 1000 && timeoutMs <= limits.maxTimeoutMs ? timeoutMs : undefined;
}
