import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PacketIds } from '../../../src/brokers/door/packet-ids.js';

describe('packet identifiers towards a client', () => {
  test('of the broker stay as they are', () => {
    const ids = new PacketIds();
    expect(ids.toClient(7, 1)).toBe(7);
    expect(ids.toBroker(7, 1)).toBe(7);
    expect(ids.toBroker(7, 2)).toBeUndefined();
    ids.release(7);
    expect(ids.toBroker(7, 1)).toBeUndefined();
  });

  test('of direct messages are far from where the broker is on the ring, whatever is in use there', () => {
    const ids = new PacketIds();
    ids.toClient(65_535, 1);
    const direct = ids.takeDirect();
    expect(direct).toBeGreaterThan(32_000);
    expect(direct).toBeLessThan(42_000);
  });

  test('give way to a direct message that has the broker’s in use, and the broker never knows', () => {
    const ids = new PacketIds();
    const direct = ids.takeDirect();
    const id = ids.toClient(direct, 2);
    expect(id).not.toBe(direct);
    expect(ids.toClient(direct, 2)).toBe(id);
    expect(ids.toBroker(id, 2)).toBe(direct);
    const resumed = new PacketIds();
    resumed.resume(ids.renamedOfSession());
    expect(resumed.toClient(direct, 2)).toBe(id);
    resumed.release(id);
    expect(resumed.toClient(direct, 2)).toBe(direct);
  });

  test('are never in use twice, and always lead back to the broker’s own', () => {
    const step = fc.record({ what: fc.constantFrom('broker', 'direct', 'end', 'endDirect'), pick: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const ids = new PacketIds();
        // Few identifiers, those of direct messages among them, so that they meet.
        const pool = [1, 2, 3, ...Array.from({ length: 40 }, (_, index) => 32_770 + index)];
        const broker = new Map<number, { id: number; qos: number }>();
        const direct = new Set<number>();
        for (const { what, pick } of steps) {
          if (what === 'broker') {
            const own = pool[pick % pool.length] as number;
            const qos = broker.get(own)?.qos ?? 1 + (pick % 2);
            const id = ids.toClient(own, qos);
            if (broker.has(own)) expect(id).toBe(broker.get(own)?.id);
            else expect([...broker.values()].some((other) => other.id === id)).toBe(false);
            expect(direct.has(id)).toBe(false);
            broker.set(own, { id, qos });
          } else if (what === 'direct') {
            const id = ids.takeDirect();
            expect(direct.has(id) || [...broker.values()].some((other) => other.id === id)).toBe(false);
            direct.add(id);
          } else if (what === 'end') {
            const [own, { id, qos }] = [...broker][pick % Math.max(1, broker.size)] ?? [0, { id: 0, qos: 1 }];
            if (own === 0) continue;
            expect(ids.toBroker(id, qos)).toBe(own);
            ids.release(id);
            broker.delete(own);
          } else {
            const id = [...direct][pick % Math.max(1, direct.size)];
            if (id === undefined) continue;
            ids.releaseDirect(id);
            direct.delete(id);
          }
        }
      }),
    );
  });
});
