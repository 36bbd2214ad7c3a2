import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  MOST_CHARACTERS,
  MOST_EVENTS,
  MOST_READERS,
  RecentEvents,
  type RecentEvent,
} from '../../src/observing/recent.js';

const event = (number: number, line = `${number}\n`): RecentEvent => ({
  at: number,
  record: { traceId: String(number), status: 'Success', eventType: 'Connect' },
  line,
});
const all = () => true;

describe('the latest events', () => {
  it('are the last 10,000, whatever came before', () => {
    const recent = new RecentEvents();
    for (let number = 0; number < MOST_EVENTS + 3; number += 1) recent.take(event(number));
    const found = recent.find(all);
    expect(found).toHaveLength(MOST_EVENTS);
    expect([found[0]?.at, found.at(-1)?.at]).toEqual([3, MOST_EVENTS + 2]);
  });

  it('are fewer where their lines are long', () => {
    const recent = new RecentEvents();
    const long = 'x'.repeat(MOST_CHARACTERS / 4);
    for (let number = 0; number < 6; number += 1) recent.take(event(number, long));
    expect(recent.find(all).map(({ at }) => at)).toEqual([2, 3, 4, 5]);
    recent.take(event(6, 'y'.repeat(MOST_CHARACTERS + 1)));
    expect(recent.find(all)).toEqual([]);
  });

  it('are found by what is wanted, the last of them, and since when', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), fc.nat(10), fc.nat(20), (moments, last, since) => {
        const recent = new RecentEvents();
        for (const at of moments) recent.take(event(at));
        const even = moments.filter((at) => at % 2 === 0 && at >= since);
        const found = recent.find(({ traceId }) => Number(traceId) % 2 === 0, { last, since });
        expect(found.map(({ at }) => at)).toEqual(last === 0 ? [] : even.slice(-last));
      }),
    );
  });
});

describe('a reader', () => {
  async function take(lines: AsyncIterable<string> | undefined): Promise<string> {
    let text = '';
    for await (const some of lines ?? []) text += some;
    return text;
  }

  it('is given the past it asked for, then what happens, until it goes', async () => {
    const recent = new RecentEvents();
    for (let number = 0; number < 5; number += 1) recent.take(event(number));
    const gone = new AbortController();
    const lines = recent.read(({ traceId }) => traceId !== '4', {
      past: { last: 2 },
      follow: true,
      signal: gone.signal,
    });
    const iterator = lines?.[Symbol.asyncIterator]();
    expect(await iterator?.next()).toEqual({ done: false, value: '2\n3\n' });
    const next = iterator?.next();
    recent.take(event(5));
    recent.take(event(6));
    expect(await next).toEqual({ done: false, value: '5\n6\n' });
    const last = iterator?.next();
    gone.abort();
    expect(await last).toEqual({ done: true, value: undefined });
  });

  it('is told how many it was too slow for', async () => {
    const recent = new RecentEvents();
    const { signal } = new AbortController();
    const lines = recent.read(all, { past: {}, follow: true, signal })?.[Symbol.asyncIterator]();
    for (let number = 0; number < MOST_EVENTS + 7; number += 1) recent.take(event(number));
    expect((await lines?.next())?.value).toBe('{"missed":7}\n');
    expect((await lines?.next())?.value).toMatch(/^7\n8\n/);
  });

  it('has no past where it asks for none, and ends at once where it does not follow', async () => {
    const recent = new RecentEvents();
    recent.take(event(1));
    const { signal } = new AbortController();
    expect(await take(recent.read(all, { past: {}, follow: false, signal }))).toBe('');
    expect(await take(recent.read(all, { past: { since: 0 }, follow: false, signal }))).toBe('1\n');
  });

  it('has a place only while it is there, and whether or not it ever asked for a line', async () => {
    const recent = new RecentEvents();
    const gone = new AbortController();
    const asked = { past: {}, follow: true, signal: gone.signal };
    for (let number = 0; number < MOST_READERS; number += 1) expect(recent.read(all, asked)).toBeDefined();
    expect(recent.read(all, asked)).toBeUndefined();
    gone.abort();
    const { signal } = new AbortController();
    for (let number = 0; number < MOST_READERS; number += 1) {
      await take(recent.read(all, { past: {}, follow: false, signal }));
    }
    expect(recent.read(all, { ...asked, signal })).toBeDefined();
  });
});
