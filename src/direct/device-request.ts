import { checkTopic, MAX_REQUEST_TIMEOUT_MS, type Fault, type Limits } from './limits.js';
import type { DirectMessage } from './message.js';
import { invalid } from './properties.js';
import { readDirectMessage, type SendDirectMessageInput } from './request.js';

/**
 * A request to a device: a direct message whose answer is waited for, on `responseTopic`. `timeout`, in whole seconds, is for
 * acknowledgement and answer together.
 */
export type DeviceRequestInput = Omit<SendDirectMessageInput, 'confirmation'>;

/** Validates the input of a request: the message, without Correlation Data where none were given, or the first rule that it breaks. */
export function readDeviceRequest(
  { timeout, responseTopic = '', ...input }: DeviceRequestInput,
  limits: Limits,
): { readonly ok: true; readonly message: DirectMessage } | ({ readonly ok: false } & Fault) {
  const read = readDirectMessage({ ...input, confirmation: 'true' }, limits);
  if (!read.ok) return read;
  // A topic on which devices publish, so no reserved one either.
  const fault = checkTopic(responseTopic, limits);
  if (fault !== undefined) return { ok: false, reason: fault.reason, details: `responseTopic: ${fault.details}` };
  const timeoutMs = timeout === undefined ? limits.defaultTimeoutMs : readTimeout(timeout);
  if (timeoutMs === undefined) {
    return invalid(`timeout is not a whole number of seconds from 1 to ${MAX_REQUEST_TIMEOUT_MS / 1000}.`);
  }
  const properties = { ...read.message.properties, responseTopic };
  return { ok: true, message: { ...read.message, properties, timeoutMs, isRequest: true } };
}

function readTimeout(text: string): number | undefined {
  const timeoutMs = /^[0-9]{1,2}$/.test(text) ? Number(text) * 1000 : 0;
  return timeoutMs >= 1000 && timeoutMs <= MAX_REQUEST_TIMEOUT_MS ? timeoutMs : undefined;
}
