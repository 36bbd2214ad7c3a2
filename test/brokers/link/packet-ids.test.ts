import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_PACKET_ID, PacketIds } from '../../../src/brokers/link/packet-ids.js';

describe('packet identifiers', () => {
  test('are never given while they are in use, in whatever order they are given back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant('allocate' as const), fc.nat()), { maxLength: 500 }),
        fc.integer({ min: 0, max: MAX_PACKET_ID }),
        (steps, last) => {
          const ids = new PacketIds(last);
          const used: number[] = [];
          for (const step of steps) {
            if (step === 'allocate') {
              const id = ids.allocate() as number;
              expect(ids.getLastAllocated()).toBe(id);
              expect(used).not.toContain(id);
              expect(id).toBeGreaterThanOrEqual(1);
              expect(id).toBeLessThanOrEqual(MAX_PACKET_ID);
              used.push(id);
            } else if (used.length > 0) {
              const [id] = used.splice(step % used.length, 1);
              ids.deallocate(id as number);
            }
          }
        },
      ),
    );
  });

  test('that are given back do not come again at once', () => {
    const ids = new PacketIds(0);
    ids.deallocate(ids.allocate() as number);
    expect(ids.allocate()).toBe(2);
  });

  test('are 65,535, and then there is none until one is given back', () => {
    const ids = new PacketIds();
    const given = new Set(Array.from({ length: MAX_PACKET_ID }, () => ids.allocate()));
    expect(given.size).toBe(MAX_PACKET_ID);
    expect(given.has(null)).toBe(false);
    expect(ids.allocate()).toBeNull();
    ids.deallocate(4_711);
    expect(ids.register(4_711)).toBe(true);
    expect(ids.register(4_711)).toBe(false);
    ids.clear();
    expect(ids.allocate()).not.toBeNull();
  });
});
