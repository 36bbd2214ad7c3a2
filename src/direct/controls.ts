import { checkTimeoutMs, MAX_REQUEST_TIMEOUT_MS, MAX_WAIT_MS, type Fault, type Limits } from './limits.js';

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
/**
 * From the service's own user only: the trace of this attempt, 32 lower-case hexadecimal digits; where its span is recorded,
 * `-` and the 16 of that.
 */
export const CONTROL_TRACE_ID = 'dm-trace-id';
/** From the service's own user only: the `traceparent` beside it is the service's, for the broker and not for the device. */
export const CONTROL_TRACEPARENT = 'dm-traceparent';
/**
 * From the service's own user only: `1` asks for the device's answer, which comes on `$dm/outcome`. Anybody else subscribes to
 * the response topic.
 */
export const CONTROL_REQUEST = 'dm-request';
/** How long to wait for the client to connect, in milliseconds, 0 to 300,000; 0 where it is not there. */
export const CONTROL_WAIT = 'dm-wait-ms';
/**
 * From the service's own user only, at QoS 0 beside `$connected`: the Packet Identifier of the question that it asks no more. That is
 * answered then.
 */
export const CONTROL_WITHDRAW = 'dm-withdraw';
/** Longest identity, in bytes of UTF-8. */
export const MAX_ID_BYTES = 128;

export interface Controls {
  /** False where `dm-qos: 0` asked for delivery without confirmation. */
  readonly confirmation: boolean;
  readonly timeoutMs: number;
  /** Identity of the delivery; absent, there is none. */
  readonly id?: string;
  /** The device's answer is asked for. */
  readonly isRequest: boolean;
  /** How long to wait for a connection. */
  readonly waitMs: number;
}

/** Who published, and how. */
export interface ControlSource {
  /** Of the PUBLISH. At QoS 0, to which MQTT has no answer, there is no confirmation to ask for. */
  readonly qos: number;
  /** The service's own user. */
  readonly isService: boolean;
}

/**
 * Reads the control properties of a direct PUBLISH, each of which stands there once at the most. Other names that start
 * with `dm-` are left for later versions: without effect here, and kept from the device. The delivery plugin has the
 * same rules.
 */
export function readControls(
  userProperties: Iterable<readonly [name: string, value: string]>,
  limits: Limits,
  { qos, isService }: ControlSource,
): { readonly ok: true; readonly controls: Controls } | ({ readonly ok: false } & Fault) {
  const given = new Map<string, string>();
  for (const [name, value] of userProperties) {
    if (!READ.has(name) || (name === CONTROL_REQUEST && !isService)) continue;
    if (given.has(name)) return invalid(`${name} is there twice.`);
    given.set(name, value);
  }
  const deliveryQos = given.get(CONTROL_QOS);
  if (deliveryQos !== undefined && deliveryQos !== '0' && deliveryQos !== '1') {
    return invalid(`${CONTROL_QOS} is neither 0 nor 1.`);
  }
  if (deliveryQos === '1' && qos === 0) return invalid(`${CONTROL_QOS} is 1, and the PUBLISH has QoS 0.`);
  const confirmation = deliveryQos === undefined ? qos > 0 : deliveryQos === '1';
  const request = given.get(CONTROL_REQUEST);
  if (request !== undefined && request !== '1') return invalid(`${CONTROL_REQUEST} is not 1.`);
  const isRequest = request !== undefined;
  if (isRequest && !confirmation) return invalid('A request is delivered at QoS 1.');
  const timeout = given.get(CONTROL_TIMEOUT);
  const timeoutMs =
    timeout === undefined ? limits.defaultTimeoutMs : Number(/^[0-9]{1,5}$/.test(timeout) ? timeout : NaN);
  const fault = checkTimeoutMs(timeoutMs, isRequest ? MAX_REQUEST_TIMEOUT_MS : limits.maxTimeoutMs);
  if (timeout !== undefined && fault !== undefined) return { ok: false, ...fault };
  const wait = given.get(CONTROL_WAIT) ?? '0';
  const waitMs = Number(/^[0-9]{1,6}$/.test(wait) ? wait : NaN);
  if (!(waitMs <= MAX_WAIT_MS)) return invalid(`${CONTROL_WAIT} is not a whole number from 0 to ${MAX_WAIT_MS}.`);
  if (waitMs > 0 && qos === 0) return invalid(`${CONTROL_WAIT} is there, and a PUBLISH of QoS 0 waits for nothing.`);
  const id = given.get(CONTROL_ID);
  const bytes = id === undefined ? 1 : Buffer.byteLength(id);
  if (bytes === 0 || bytes > MAX_ID_BYTES) return invalid(`${CONTROL_ID} is not 1 to ${MAX_ID_BYTES} bytes long.`);
  return { ok: true, controls: { confirmation, timeoutMs, isRequest, waitMs, ...(id !== undefined && { id }) } };
}

const READ: ReadonlySet<string> = new Set([CONTROL_QOS, CONTROL_TIMEOUT, CONTROL_ID, CONTROL_REQUEST, CONTROL_WAIT]);

function invalid(details: string): { readonly ok: false } & Fault {
  return { ok: false, reason: 'INVALID_PARAMETER', details };
}
