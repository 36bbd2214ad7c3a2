import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { generate } from 'mqtt-packet';
import { publishBytes } from '../../../src/brokers/link/packet-size.js';
import { forMqttPacket, toUserProperties, type PublishProperties } from '../../../src/brokers/link/properties.js';

const text = fc.string({ unit: 'binary', maxLength: 200 });
const properties: fc.Arbitrary<PublishProperties> = fc.record(
  {
    payloadFormatIndicator: fc.boolean(),
    messageExpiryInterval: fc.nat(),
    contentType: text,
    responseTopic: text,
    correlationData: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    userProperties: fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 10 }).map(toUserProperties),
  },
  { requiredKeys: [] },
);

test('is that of the packet which MQTT.js writes', () => {
  fc.assert(
    fc.property(properties, text, fc.constantFrom(0, 1), fc.nat(40_000), (given, name, qos, payloadBytes) => {
      const topic = `t${name}`;
      const packet = generate(
        {
          cmd: 'publish',
          topic,
          payload: Buffer.alloc(payloadBytes),
          qos,
          retain: false,
          dup: false,
          messageId: 1,
          properties: forMqttPacket(given),
        },
        { protocolVersion: 5 },
      );
      expect(publishBytes({ topic, payloadBytes, qos, properties: given })).toBe(packet.length);
    }),
  );
});

test('of what MQTT cannot say is more than any broker takes', () => {
  const properties = { contentType: 'x'.repeat(65_536) };
  expect(publishBytes({ topic: 't', payloadBytes: 1, qos: 1, properties })).toBe(Infinity);
});
