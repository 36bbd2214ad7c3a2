import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fixedHeader, frameOf, FrameReader } from '../../../src/brokers/door/wire/frame.js';

test('a stream is taken apart into the packets that it was made of, however it is cut', () => {
  const packet = fc.tuple(fc.integer({ min: 1, max: 15 }), fc.uint8Array({ maxLength: 400 }));
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 300 })), (packets, cuts) => {
      const whole = packets.map(([type, body]) => Buffer.concat([fixedHeader(type, 0, body.length), body]));
      const stream = Buffer.concat(whole);
      const reader = new FrameReader(1_000);
      const found: Buffer[] = [];
      let at = 0;
      for (const cut of [...cuts, stream.length]) {
        reader.push(stream.subarray(at, at + cut));
        at += cut;
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
          expect(frameOf(frame.bytes)).toMatchObject({ type: frame.type, flags: frame.flags, body: frame.body });
          found.push(Buffer.from(frame.bytes));
        }
      }
      expect(found).toEqual(whole);
      expect(reader.size).toBe(0);
    }),
  );
});
