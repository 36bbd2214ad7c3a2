import type { IPublishPacket } from 'mqtt-packet';
import { CONTROL_PREFIX, CONTROL_TRACEPARENT } from '../../direct/controls.js';
import { forMqttPacket, toUserProperties, type PublishProperties } from '../link/properties.js';
import { pairsOf } from './user-properties.js';

type PacketProperties = NonNullable<IPublishPacket['properties']>;

/**
 * What the device sees of the sender's properties: not the controls, not the Message Expiry Interval, whose place the timeout
 * takes, and not the trace that the service has added for the broker.
 */
export function deviceProperties(
  sent: PacketProperties | undefined,
  isOfService: boolean,
): PacketProperties | undefined {
  if (sent === undefined) return undefined;
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = sent;
  const properties: PublishProperties = {};
  if (payloadFormatIndicator !== undefined) properties.payloadFormatIndicator = payloadFormatIndicator;
  if (contentType !== undefined) properties.contentType = contentType;
  if (responseTopic !== undefined) properties.responseTopic = responseTopic;
  if (correlationData !== undefined) properties.correlationData = correlationData;
  const pairs = pairsOf(userProperties);
  const hidesTrace = isOfService && pairs.some(([name]) => name === CONTROL_TRACEPARENT);
  const others = pairs.filter(([name]) => !name.startsWith(CONTROL_PREFIX) && !(hidesTrace && name === 'traceparent'));
  if (others.length > 0) properties.userProperties = toUserProperties(others);
  return forMqttPacket(properties);
}
