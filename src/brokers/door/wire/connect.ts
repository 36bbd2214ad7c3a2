import { fixedHeader, PacketType, type Frame } from './frame.js';
import { Malformed, protocolError } from './malformed.js';
import { numberOf, Property, readProperties, type Properties } from './properties.js';
import { Reader } from './reader.js';

/** What the door needs to know of a CONNECT (MQTT 5, section 3.1; MQTT 3.1.1, section 3.1). */
export interface Connect {
  /** 3 (MQTT 3.1), 4 (3.1.1) or 5. */
  readonly version: 3 | 4 | 5;
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Buffer | undefined;
  readonly will: { readonly topic: string; readonly qos: number; readonly retain: boolean } | undefined;
  /** Clean Start, or Clean Session. */
  readonly clean: boolean;
  /** In seconds; 0 for none. */
  readonly keepAlive: number;
  /** In seconds; of MQTT 3 forever where the session is not clean. */
  readonly sessionExpiry: number;
  /** Of MQTT 5, where it was given. */
  readonly receiveMaximum: number | undefined;
  readonly maximumPacketSize: number | undefined;
  readonly topicAliasMaximum: number;
  readonly usesEnhancedAuthentication: boolean;
  /** Where the client ID stands, its length included. */
  readonly clientIdAt: number;
}

/** A CONNECT of a protocol that there is none of: reason code Unsupported Protocol Version. */
const UNSUPPORTED_VERSION = 0x84;
const FOREVER = 0xffffffff;
/** Mosquitto's bridges set the highest bit of the level to say that they are ones. */
const BRIDGE_BIT = 0x80;

/** @throws Malformed */
export function readConnect({ bytes, body }: Frame): Connect {
  const reader = new Reader(bytes, body);
  const protocol = reader.text();
  const level = reader.byte() & ~BRIDGE_BIT;
  if (protocol === 'MQTT' ? level !== 4 && level !== 5 : protocol !== 'MQIsdp' || level !== 3) {
    throw new Malformed(`There is no protocol ${JSON.stringify(protocol)}, level ${level}.`, UNSUPPORTED_VERSION);
  }
  const version = level as Connect['version'];
  const flags = reader.byte();
  if ((flags & 0x01) !== 0) throw new Malformed('The reserved flag of CONNECT is set.');
  const keepAlive = reader.uint16();
  const properties = version === 5 ? readProperties(reader) : undefined;
  const clientIdAt = reader.at;
  const clientId = reader.text();
  const will = readWill(reader, flags, version);
  // MQTT 3.1.1, section 3.1.2.9; MQTT 5 allows a password alone.
  if (version !== 5 && (flags & 0xc0) === 0x40) throw new Malformed('There is a password and no username.');
  const username = (flags & 0x80) === 0 ? undefined : reader.text();
  const password = (flags & 0x40) === 0 ? undefined : reader.binary();
  if (!reader.done) throw new Malformed('The CONNECT goes on behind its last field.');
  const clean = (flags & 0x02) !== 0;
  return {
    version,
    clientId,
    username,
    password,
    will,
    clean,
    keepAlive,
    sessionExpiry: expiryOf(clean, properties),
    receiveMaximum: atLeastOne(properties, Property.ReceiveMaximum),
    maximumPacketSize: atLeastOne(properties, Property.MaximumPacketSize),
    topicAliasMaximum: (properties && numberOf(properties, Property.TopicAliasMaximum)) ?? 0,
    usesEnhancedAuthentication: properties?.given.has(Property.AuthenticationMethod) ?? false,
    clientIdAt,
  };
}

/** The CONNECT with a client ID in the place of the empty one. */
export function withClientId({ bytes, body, flags }: Frame, { clientIdAt }: Connect, clientId: string): Buffer {
  const text = Buffer.from(clientId);
  const length = Buffer.of(text.length >> 8, text.length & 0xff);
  const rest = bytes.subarray(clientIdAt + 2);
  const header = bytes.subarray(body, clientIdAt);
  const total = header.length + length.length + text.length + rest.length;
  return Buffer.concat([fixedHeader(PacketType.CONNECT, flags, total), header, length, text, rest]);
}

function readWill(reader: Reader, flags: number, version: number): Connect['will'] {
  const qos = (flags >> 3) & 0x03;
  const retain = (flags & 0x20) !== 0;
  if ((flags & 0x04) === 0) {
    if (qos > 0 || retain) throw new Malformed('There is a QoS or RETAIN of a will, and no will.');
    return undefined;
  }
  if (qos === 3) throw new Malformed('The will has QoS 3.');
  if (version === 5) reader.at = readProperties(reader).end;
  const topic = reader.text();
  reader.binary();
  return { topic, qos, retain };
}

function expiryOf(clean: boolean, properties: Properties | undefined): number {
  if (properties === undefined) return clean ? 0 : FOREVER;
  return numberOf(properties, Property.SessionExpiryInterval) ?? 0;
}

function atLeastOne(properties: Properties | undefined, id: number): number | undefined {
  const value = properties && numberOf(properties, id);
  if (value === 0) throw protocolError('Receive Maximum or Maximum Packet Size is 0.');
  return value;
}
