import { z } from 'zod';
import type { Delivery, DeviceResponse } from '../../direct/delivery.js';
import { isReason, type Reason } from '../../reasons.js';

/**
 * Where the service's own connection learns, before the PUBACK, what a PUBACK cannot carry. No client can publish there or
 * subscribe to it, and no direct message can be received on it: it begins with `$`.
 */
export const OUTCOME_TOPIC = '$dm/outcome';

const Told = z.object({
  packetId: z.int().min(1).max(0xffff),
  reason: z.custom<Reason>((reason) => typeof reason === 'string' && isReason(reason)),
  written: z.enum(['yes', 'no', 'unknown']).optional(),
  /** Of the device's PUBACK. */
  code: z.int().min(0).max(0xff).optional(),
  reasonString: z.string().optional(),
  /** Of the first attempt. */
  traceId: z.string().optional(),
  joined: z.boolean().optional(),
  earlierWritten: z.boolean().optional(),
  /** Of a wait for the client: it is connected. */
  connected: z.boolean().optional(),
  /** Of ANSWERED. */
  response: z
    .object({
      topic: z.string(),
      /** Base64. */
      payload: z.string(),
      contentType: z.string().optional(),
      userProperties: z.array(z.tuple([z.string(), z.string()])).optional(),
    })
    .optional(),
});
/** What a broker told of the answer to the PUBLISH `packetId`. */
export type ToldOutcome = z.output<typeof Told>;

/** Undefined where it is none: the PUBACK's own code counts then. */
export function readOutcome(payload: Uint8Array | string): ToldOutcome | undefined {
  try {
    return Told.safeParse(JSON.parse(payload.toString())).data;
  } catch {
    return undefined;
  }
}

/** The payload that tells; undefined where the PUBACK says it all. */
export function writeOutcome(packetId: number, delivery: Delivery): string | undefined {
  const { reason, written, device, joined, firstTraceId, earlierWritten, connected, response } = delivery;
  const plain = reason === 'DELIVERED' || reason === 'DISPATCHED';
  if (plain && joined !== true && earlierWritten !== true) return undefined;
  const told: ToldOutcome = {
    packetId,
    reason,
    written,
    code: device?.code,
    reasonString: device?.reasonString,
    traceId: firstTraceId,
    joined,
    earlierWritten,
    connected,
    response: response && encodeResponse(response),
  };
  return JSON.stringify(told);
}

function encodeResponse({ topic, payload, contentType, userProperties }: DeviceResponse): ToldOutcome['response'] {
  return {
    topic,
    payload: Buffer.from(payload).toString('base64'),
    contentType,
    userProperties: userProperties?.map(([name, value]) => [name, value]),
  };
}

/** The answer of a device as it was told. */
export function decodeResponse(told: NonNullable<ToldOutcome['response']>): DeviceResponse {
  const { topic, payload, contentType, userProperties } = told;
  return {
    topic,
    payload: Buffer.from(payload, 'base64'),
    ...(contentType !== undefined && { contentType }),
    ...(userProperties !== undefined && { userProperties }),
  };
}
