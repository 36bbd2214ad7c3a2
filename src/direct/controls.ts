import { checkTimeoutMs, type Fault, type Limits } from './limits.js';

/** MQTT 5 user properties by which a sender steers a direct message. They never reach the device. */
export const CONTROL_PREFIX = 'dm-';
/** `0`: deliver at QoS 0, and answer when the message was handed to the device's connection. */
export const CONTROL_QOS = 'dm-qos';
/** How long to wait for the device's PUBACK, in milliseconds. */
export const CONTROL_TIMEOUT = 'dm-timeout-ms';

export interface Controls {
  /** False where `dm-qos: 0` asked for delivery without confirmation. */
  readonly confirmation: boolean;
  readonly timeoutMs: number;
}

/**
 * Reads the control properties of a direct PUBLISH. Where a name repeats, the first counts, and each must be valid.
 * Other names that start with `dm-` are left for later versions: without effect here, and kept from the device.
 */
export function readControls(
  userProperties: Iterable<readonly [name: string, value: string]>,
  limits: Limits,
): { readonly ok: true; readonly controls: Controls } | ({ readonly ok: false } & Fault) {
  let confirmation: boolean | undefined;
  let timeoutMs: number | undefined;
  for (const [name, value] of userProperties) {
    if (name === CONTROL_QOS) {
      if (value !== '0' && value !== '1') return invalid(`${CONTROL_QOS} is neither 0 nor 1.`);
      confirmation ??= value === '1';
    } else if (name === CONTROL_TIMEOUT) {
      const asked = /^[0-9]{1,9}$/.test(value) ? Number(value) : NaN;
      const fault = checkTimeoutMs(asked, limits);
      if (fault !== undefined) return { ok: false, ...fault };
      timeoutMs ??= asked;
    }
  }
  return {
    ok: true,
    controls: { confirmation: confirmation ?? true, timeoutMs: timeoutMs ?? limits.defaultTimeoutMs },
  };
}

function invalid(details: string): { readonly ok: false } & Fault {
  return { ok: false, reason: 'INVALID_PARAMETER', details };
}
