import { jest } from '@jest/globals';
import fc from 'fast-check';
import { finish, finishInSlices, sorted, type Work } from '../../src/policy/work.js';

test('sorting in pieces is sorting', () => {
  const items = fc.array(fc.record({ key: fc.nat(50), place: fc.nat() }), { maxLength: 5_000, size: 'max' });
  fc.assert(
    fc.property(items, (list) => {
      const compare = (one: { key: number }, other: { key: number }): number => one.key - other.key;
      expect(finish(sorted(list, compare))).toEqual(list.toSorted(compare));
    }),
    { numRuns: 50 },
  );
});

test('what waits has its turn between two slices, and not within one', async () => {
  let now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  const seen: string[] = [];
  function* work(): Work<string> {
    for (let step = 0; step < 6; step++) {
      seen.push('step');
      now += 1;
      yield;
    }
    return 'done';
  }
  setImmediate(() => seen.push('other'));
  expect(await finishInSlices(work())).toBe('done');
  expect(seen).toEqual(['step', 'step', 'other', 'step', 'step', 'step', 'step']);
});

test('an error ends the work', async () => {
  // eslint-disable-next-line require-yield -- It fails before it could pause.
  function* failing(): Work<never> {
    throw new Error('no');
  }
  await expect(finishInSlices(failing())).rejects.toThrow('no');
  expect(() => finish(failing())).toThrow('no');
});
