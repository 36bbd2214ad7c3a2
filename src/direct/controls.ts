import { checkTimeoutMs, type Fault, type Limits } from './limits.js';

/** MQTT 5 user properties by which a sender steers a direct message. They never reach the device. */
export const CONTROL_PREFIX = 'dm-';
/** `0`: deliver at QoS 0, and answer when the message was handed to the device's connection. */
export const CONTROL_QOS = 'dm-qos';
/** How long to wait for the device's PUBACK, in milliseconds. */
export const CONTROL_TIMEOUT = 'dm-timeout-ms';
/** Identity of the delivery, 1 to 128 bytes: a repeat of it puts no second message on the device. */
export const CONTROL_ID = 'dm-id';
/** From the service's own user only: for whom it sends. */
export const CONTROL_PRINCIPAL = 'dm-principal';
/** From the service's own user only: the trace of this attempt, 32 lower-case hexadecimal digits. */
export const CONTROL_TRACE_ID = 'dm-trace-id';
/** From the service's own user only: the `traceparent` beside it is the service's, for the broker and not for the device. */
export const CONTROL_TRACEPARENT = 'dm-traceparent';
/** Longest identity, in bytes of UTF-8. */
export const MAX_ID_BYTES = 128;

export interface Controls {
  /** False where `dm-qos: 0` asked for delivery without confirmation. */
  readonly confirmation: boolean;
  readonly timeoutMs: number;
  /** Identity of the delivery; absent, there is none. */
  readonly id?: string;
}

/**
 * Reads the control properties of a direct PUBLISH, each of which stands there once at the most. Other names that start
 * with `dm-` are left for later versions: without effect here, and kept from the device. The delivery plugin has the
 * same rules.
 *
 * @param qos of the PUBLISH. At QoS 0, to which MQTT has no answer, there is no confirmation to ask for.
 */
export function readControls(
  userProperties: Iterable<readonly [name: string, value: string]>,
  limits: Limits,
  qos: number,
): { readonly ok: true; readonly controls: Controls } | ({ readonly ok: false } & Fault) {
  let confirmation: boolean | undefined;
  let timeoutMs: number | undefined;
  let id: string | undefined;
  for (const [name, value] of userProperties) {
    if (name === CONTROL_QOS) {
      if (value !== '0' && value !== '1') return invalid(`${CONTROL_QOS} is neither 0 nor 1.`);
      if (confirmation !== undefined) return invalid(`${CONTROL_QOS} is there twice.`);
      confirmation = value === '1';
      if (confirmation && qos === 0) return invalid(`${CONTROL_QOS} is 1, and the PUBLISH has QoS 0.`);
    } else if (name === CONTROL_TIMEOUT) {
      const asked = /^[0-9]{1,5}$/.test(value) ? Number(value) : NaN;
      const fault = checkTimeoutMs(asked, limits);
      if (fault !== undefined) return { ok: false, ...fault };
      if (timeoutMs !== undefined) return invalid(`${CONTROL_TIMEOUT} is there twice.`);
      timeoutMs = asked;
    } else if (name === CONTROL_ID) {
      const bytes = Buffer.byteLength(value);
      if (bytes === 0 || bytes > MAX_ID_BYTES) return invalid(`${CONTROL_ID} is not 1 to ${MAX_ID_BYTES} bytes long.`);
      if (id !== undefined) return invalid(`${CONTROL_ID} is there twice.`);
      id = value;
    }
  }
  return {
    ok: true,
    controls: {
      confirmation: confirmation ?? qos > 0,
      timeoutMs: timeoutMs ?? limits.defaultTimeoutMs,
      ...(id !== undefined && { id }),
    },
  };
}

function invalid(details: string): { readonly ok: false } & Fault {
  return { ok: false, reason: 'INVALID_PARAMETER', details };
}
