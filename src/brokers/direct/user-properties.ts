import type { UserProperties } from 'mqtt-packet';
import { forMqttPacket, toUserProperties, type PublishProperties } from '../link/properties.js';

type Pair = readonly [name: string, value: string];

/** Parts of mqtt-packet's parser that are not of its public interface. Its version is pinned exactly. */
interface PropertyParser {
  /** False where the properties are malformed. */
  _parseProperties(): { userProperties?: UserProperties } | false;
  /** MQTT has string pairs in user properties only. Null where the packet ends before. */
  _parseStringPair(): { readonly name: string | null; readonly value: string | null };
}

/**
 * Lets a parser keep the order of user properties, which reaches the receiver unchanged (MQTT 5, section 3.3.2.3.7):
 * mqtt-packet's own gathers the values of a name in one array, and loses an empty value where the name comes again.
 * `userProperties` then is the list of pairs that mqtt-packet's writer takes as well, so that what Aedes passes on keeps the
 * order too.
 */
export function keepUserPropertyOrder(parser: object): void {
  const inner = parser as PropertyParser;
  const parseProperties = inner._parseProperties.bind(inner);
  const parseStringPair = inner._parseStringPair.bind(inner);
  let pairs: Pair[] = [];
  inner._parseStringPair = () => {
    const pair = parseStringPair();
    if (pair.name !== null && pair.value !== null) pairs.push([pair.name, pair.value]);
    return pair;
  };
  inner._parseProperties = () => {
    pairs = [];
    const properties = parseProperties();
    if (properties !== false && pairs.length > 0) {
      const ordered: PublishProperties = { userProperties: toUserProperties(pairs) };
      Object.assign(properties, forMqttPacket(ordered));
    }
    return properties;
  };
}

/** The pairs of a packet that was parsed so. */
export function pairsOf(userProperties: unknown): Pair[] {
  return ((userProperties ?? []) as readonly Record<string, string>[]).flatMap((one) => Object.entries(one));
}
