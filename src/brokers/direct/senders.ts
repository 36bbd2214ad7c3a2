import type { IPublishPacket } from 'mqtt-packet';
import { CONTROL_PRINCIPAL, CONTROL_TRACE_ID } from '../../direct/controls.js';
import { parseTraceparent } from '../../observing/trace-id.js';
import type { Party } from './message.js';
import { pairsOf } from './user-properties.js';

const TRACE_ID = /^[0-9a-f]{32}(?:-[0-9a-f]{16})?$/;

/** Whose delivery a message is. What it says of that itself counts from the service's own user only. */
export function identityOf(
  sender: Party,
  packet: IPublishPacket,
  id: string,
): { id: string; traceId: string | undefined } {
  const pairs = pairsOf(packet.properties?.userProperties);
  const said = (wanted: string): string | undefined => pairs.find(([name]) => name === wanted)?.[1];
  if (!sender.isService) return { id, traceId: parseTraceparent(said('traceparent'))?.traceId };
  const traceId = said(CONTROL_TRACE_ID);
  return { id, traceId: traceId !== undefined && TRACE_ID.test(traceId) ? traceId : undefined };
}

/** For whom it is sent. */
export function principalOf({ isService, origin }: Party, packet: IPublishPacket): string {
  const { username, clientId = '' } = origin ?? {};
  const own = username === undefined || username === '' ? clientId : username;
  if (!isService) return own;
  return pairsOf(packet.properties?.userProperties).find(([name]) => name === CONTROL_PRINCIPAL)?.[1] ?? own;
}
