import type { PublishProperties, UserProperty } from './properties.js';

/** What a PUBLISH is made of, as far as its size goes. */
export interface PublishSize {
  readonly topic: string;
  readonly payloadBytes: number;
  readonly qos: 0 | 1;
  readonly properties: PublishProperties;
}

/** Strings and binary data have a length of two bytes (MQTT 5, section 1.5.4). */
const MAX_STRING_BYTES = 0xffff;

/**
 * Bytes of a PUBLISH on the wire, as Maximum Packet Size counts them (MQTT 5, section 3.2.2.3.6): to be asked before it is
 * sent, because MQTT.js does not, and a broker drops the connection, and all that is in flight on it, for one too large.
 * Infinity where a string is longer than MQTT can say.
 */
export function publishBytes({ topic, payloadBytes, qos, properties }: PublishSize): number {
  const ofProperties = propertyBytes(properties);
  const remaining = text(topic) + (qos === 0 ? 0 : 2) + variableByteInteger(ofProperties) + ofProperties + payloadBytes;
  return 1 + variableByteInteger(remaining) + remaining;
}

function propertyBytes(properties: PublishProperties): number {
  const { payloadFormatIndicator, messageExpiryInterval, contentType, responseTopic, correlationData } = properties;
  let bytes = 0;
  if (payloadFormatIndicator !== undefined) bytes += 2;
  if (messageExpiryInterval !== undefined) bytes += 5;
  if (contentType !== undefined) bytes += 1 + text(contentType);
  if (responseTopic !== undefined) bytes += 1 + text(responseTopic);
  if (correlationData !== undefined) bytes += 1 + prefixed(correlationData.byteLength);
  for (const property of properties.userProperties ?? []) bytes += userPropertyBytes(property);
  return bytes;
}

function userPropertyBytes(property: UserProperty): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(property)) bytes += 1 + text(name) + text(value);
  return bytes;
}

function text(value: string): number {
  return prefixed(Buffer.byteLength(value));
}

function prefixed(bytes: number): number {
  return bytes > MAX_STRING_BYTES ? Infinity : 2 + bytes;
}

/** Bytes of a Variable Byte Integer (section 1.5.5). */
function variableByteInteger(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  return value < 0x20_0000 ? 3 : 4;
}
