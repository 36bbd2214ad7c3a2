import type { IPublishPacket } from 'mqtt';
import { CONTROL_PREFIX, CONTROL_QOS, CONTROL_TIMEOUT } from '../../direct/controls.js';
import type { DirectMessage } from '../../direct/message.js';

type PublishProperties = NonNullable<IPublishPacket['properties']>;

/**
 * PUBLISH properties of a direct message (MQTT 5, section 3.3.2.3). Control properties are the service's own to set: a
 * caller's of such a name are left out.
 */
export function toPublishProperties(message: DirectMessage, timeoutMs: number): PublishProperties {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = message.properties;
  // Names come from callers, `__proto__` among them.
  const user = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of userProperties ?? []) {
    if (name.startsWith(CONTROL_PREFIX)) continue;
    const before = user[name];
    user[name] = before === undefined ? value : [before, value].flat();
  }
  user[CONTROL_TIMEOUT] = String(timeoutMs);
  if (!message.confirmation) user[CONTROL_QOS] = '0';

  const properties: PublishProperties = { userProperties: user };
  if (payloadFormatIndicator !== undefined) properties.payloadFormatIndicator = payloadFormatIndicator;
  if (contentType !== undefined) properties.contentType = contentType;
  if (responseTopic !== undefined) properties.responseTopic = responseTopic;
  if (correlationData !== undefined) properties.correlationData = Buffer.from(correlationData);
  return properties;
}
