import type { IPublishPacket } from 'mqtt-packet';
import {
  CONTROL_ID,
  CONTROL_PREFIX,
  CONTROL_PRINCIPAL,
  CONTROL_QOS,
  CONTROL_REQUEST,
  CONTROL_TIMEOUT,
  CONTROL_TRACE_ID,
  CONTROL_TRACEPARENT,
  CONTROL_WAIT,
  CONTROL_WITHDRAW,
} from '../../direct/controls.js';
import type { ConnectionWait } from '../../direct/delivery.js';
import type { DirectMessage, DirectProperties } from '../../direct/message.js';
import type { BrokerMessage } from '../../operations/broker.js';

/** One user property, as an object with one key. */
export type UserProperty = Readonly<Record<string, string>>;

type PacketProperties = NonNullable<IPublishPacket['properties']>;

/**
 * PUBLISH properties (MQTT 5, section 3.3.2.3) for mqtt-packet, whose types have user properties as one array a name. The
 * order between names, which the receiver is to see unchanged (section 3.3.2.3.7), has no place there. But its writer takes
 * an array for every property (writeToStream.js, writeProperties): one object with one key each keeps the order.
 */
export interface PublishProperties extends Omit<PacketProperties, 'userProperties'> {
  userProperties?: readonly UserProperty[];
}

/** The same, under the type that mqtt-packet and MQTT.js ask for. */
export function forMqttPacket(properties: PublishProperties): PacketProperties {
  return properties as unknown as PacketProperties;
}

type Pair = readonly [name: string, value: string];

/** User properties in the order of the pairs. */
export function toUserProperties(pairs: Iterable<Pair>): UserProperty[] {
  // A computed key is always one of its own, `__proto__` too.
  return Array.from(pairs, ([name, value]) => ({ [name]: value }));
}

/**
 * Properties of a direct message on its way to the broker. Control properties are the service's own to set: a caller's of
 * such a name are left out.
 */
export function directProperties(message: DirectMessage): PublishProperties {
  const { identity, timeoutMs, properties, trace, isRequest } = message;
  const { userProperties = [] } = properties;
  const user = userProperties.filter(([name]) => !name.startsWith(CONTROL_PREFIX));
  if (trace !== undefined) user.push(['traceparent', trace.traceparent]);
  if (trace?.reachesDevice === false) user.push([CONTROL_TRACEPARENT, 'own']);
  user.push([CONTROL_TIMEOUT, String(timeoutMs)]);
  if (!message.confirmation) user.push([CONTROL_QOS, '0']);
  if (isRequest === true) user.push([CONTROL_REQUEST, '1']);
  if (identity !== undefined) {
    const { id, principal, traceId, spanId } = identity;
    const attempt = spanId === undefined ? traceId : `${traceId}-${spanId}`;
    user.push([CONTROL_ID, id], [CONTROL_PRINCIPAL, principal], [CONTROL_TRACE_ID, attempt]);
  }
  return commonProperties(properties, user);
}

/** Properties of a wait for a client. */
export function waitProperties({ principal, waitMs }: ConnectionWait): PublishProperties {
  const pairs: Pair[] = [
    [CONTROL_WAIT, String(waitMs)],
    [CONTROL_PRINCIPAL, principal],
  ];
  return { userProperties: toUserProperties(pairs) };
}

/** Properties by which a wait is withdrawn: the Packet Identifier that it was asked for with. */
export function withdrawProperties(packetId: number): PublishProperties {
  return { userProperties: toUserProperties([[CONTROL_WITHDRAW, String(packetId)]]) };
}

/** Properties of an ordinary message. */
export function ordinaryProperties({ properties, expirySeconds }: BrokerMessage): PublishProperties {
  const all = commonProperties(properties, properties.userProperties ?? []);
  if (expirySeconds !== undefined) all.messageExpiryInterval = expirySeconds;
  return all;
}

function commonProperties(given: DirectProperties, user: readonly Pair[]): PublishProperties {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData } = given;
  const properties: PublishProperties = {};
  if (payloadFormatIndicator !== undefined) properties.payloadFormatIndicator = payloadFormatIndicator;
  if (contentType !== undefined) properties.contentType = contentType;
  if (responseTopic !== undefined) properties.responseTopic = responseTopic;
  if (correlationData !== undefined) properties.correlationData = Buffer.from(correlationData);
  if (user.length > 0) properties.userProperties = toUserProperties(user);
  return properties;
}
