import { beforeEach, describe, expect, test } from '@jest/globals';
import { Memory, type MemoryLimits } from '../../../src/brokers/direct/memory.js';
import type { Remembered } from '../../../src/brokers/direct/message.js';

let now: number;
beforeEach(() => {
  now = 0;
});

function memoryOf(limits: Partial<MemoryLimits>): Memory {
  return new Memory(
    () => now,
    () => undefined,
    limits,
  );
}

const whose = (principal: string, id: string) => ({ principal, id, targetClientId: 'lock-17' });

/** Remembers an identity with an outcome; undefined where there was no room. */
function settle(memory: Memory, principal: string, id: string): Remembered | undefined {
  const known = memory.add(whose(principal, id), 'fingerprint', undefined);
  if (known !== undefined) memory.settled(known);
  return known;
}

/** The ids of a principal that are remembered, of those given. */
function remembered(memory: Memory, principal: string, ids: readonly string[]): string[] {
  return ids.filter((id) => memory.find(whose(principal, id)) !== undefined);
}

describe('what is remembered of deliveries', () => {
  test('is forgotten so long after its outcome, and not while there is none', () => {
    const memory = memoryOf({ keepMs: 1000 });
    settle(memory, 'alice', 'settled');
    memory.add(whose('alice', 'trying'), 'fingerprint', undefined);
    now = 999;
    expect(remembered(memory, 'alice', ['settled', 'trying'])).toEqual(['settled', 'trying']);
    now = 1000;
    expect(remembered(memory, 'alice', ['settled', 'trying'])).toEqual(['trying']);
    expect(memory.size).toBe(1);
  });

  test('is bounded for each principal, whose own oldest makes room', () => {
    const memory = memoryOf({ perPrincipal: 2 });
    for (const id of ['1', '2', '3']) settle(memory, 'alice', id);
    expect(remembered(memory, 'alice', ['1', '2', '3'])).toEqual(['2', '3']);
    expect(memory.size).toBe(2);
  });

  test('of one principal is never forgotten for another', () => {
    const memory = memoryOf({ identities: 3 });
    for (const id of ['1', '2']) settle(memory, 'alice', id);
    settle(memory, 'bob', '1');
    // There is room for three in all: Bob's own oldest goes, and Carol has none that could.
    settle(memory, 'bob', '2');
    expect(settle(memory, 'carol', '1')).toBeUndefined();
    expect(remembered(memory, 'alice', ['1', '2'])).toEqual(['1', '2']);
    expect(remembered(memory, 'bob', ['1', '2'])).toEqual(['2']);
    expect(memory.size).toBe(3);
  });

  test('has room again for others when its time is over', () => {
    const memory = memoryOf({ identities: 1, keepMs: 1000 });
    settle(memory, 'alice', '1');
    expect(settle(memory, 'bob', '1')).toBeUndefined();
    now = 1000;
    // Whoever asks after it, or sends again, lets it go.
    expect(memory.find(whose('alice', '1'))).toBeUndefined();
    expect(settle(memory, 'bob', '1')).toBeDefined();
  });

  test('is never dropped while it has no outcome', () => {
    const memory = memoryOf({ perPrincipal: 2 });
    for (const id of ['1', '2']) memory.add(whose('alice', id), 'fingerprint', undefined);
    expect(memory.add(whose('alice', '3'), 'fingerprint', undefined)).toBeUndefined();
    expect(remembered(memory, 'alice', ['1', '2', '3'])).toEqual(['1', '2']);
  });

  test('is not dropped while a new attempt of it is under way', () => {
    const memory = memoryOf({ perPrincipal: 2 });
    const first = settle(memory, 'alice', '1');
    settle(memory, 'alice', '2');
    if (first !== undefined) memory.revived(first);
    settle(memory, 'alice', '3');
    expect(remembered(memory, 'alice', ['1', '2', '3'])).toEqual(['1', '3']);
  });

  test('is bounded by bytes, long identities counting for more', () => {
    const memory = memoryOf({ bytes: 10_000 });
    const long = (index: number): string => String(index).padStart(128, 'x');
    for (let index = 0; index < 100; index += 1) settle(memory, 'alice', long(index));
    const few = memory.size;
    const short = memoryOf({ bytes: 10_000 });
    for (let index = 0; index < 100; index += 1) settle(short, 'alice', String(index));
    expect(few).toBeGreaterThan(5);
    expect(short.size).toBeGreaterThan(few);
    expect(short.size).toBeLessThan(25);
    // The bytes of those that are gone are there again.
    expect(settle(memory, 'alice', 'one more')).toBeDefined();
    expect(settle(memory, 'bob', 'x'.repeat(4000))).toBeUndefined();
  });

  test('keeps apart what parts of an identity could be taken for others', () => {
    const memory = memoryOf({});
    settle(memory, 'a', 'b","c');
    expect(memory.find({ principal: 'a', targetClientId: 'lock-17","b', id: 'c' })).toBeUndefined();
    expect(memory.find({ principal: 'a","lock-17', targetClientId: 'b', id: 'c' })).toBeUndefined();
    expect(memory.find(whose('a', 'b","c'))).toBeDefined();
  });
});
