import { describe, expect, test } from '@jest/globals';
import { CallerThrottle, type CallerLimits } from '../../src/throttling/caller-throttle.js';
import { RateLimiter } from '../../src/throttling/rate-limiter.js';

describe('a token bucket', () => {
  const create = (maxKeys?: number) => {
    let now = 1000;
    const limiter = new RateLimiter({ perSecond: 2, burst: 3 }, () => now, maxKeys);
    const advance = (ms: number): void => {
      now += ms;
    };
    return { limiter, advance };
  };

  test('gives its burst at once and then its rate', () => {
    const { limiter, advance } = create();
    expect([1, 2, 3].map(() => limiter.take('a'))).toEqual([0, 0, 0]);
    expect(limiter.take('a')).toBe(500);
    advance(499);
    expect(limiter.take('a')).toBeCloseTo(1);
    advance(1);
    expect(limiter.take('a')).toBe(0);
    expect(limiter.take('a')).toBe(500);
  });

  test('never holds more than its burst', () => {
    const { limiter, advance } = create();
    limiter.take('a');
    advance(3_600_000);
    expect([1, 2, 3, 4].map(() => limiter.take('a'))).toEqual([0, 0, 0, 500]);
  });

  test('a refusal takes nothing', () => {
    const { limiter, advance } = create();
    for (let index = 0; index < 100; index += 1) limiter.take('a');
    advance(500);
    expect(limiter.take('a')).toBe(0);
  });

  test('what is given back can be taken again, and is never more than the burst', () => {
    const { limiter } = create();
    for (let index = 0; index < 3; index += 1) limiter.take('a');
    limiter.giveBack('a');
    expect([1, 2].map(() => limiter.take('a'))).toEqual([0, 500]);
    for (let index = 0; index < 9; index += 1) limiter.giveBack('a');
    limiter.giveBack('nobody');
    expect([1, 2, 3, 4].map(() => limiter.take('a'))).toEqual([0, 0, 0, 500]);
  });

  test('keys have nothing to do with each other, and the least recently used are forgotten', () => {
    const { limiter } = create(2);
    for (const key of ['a', 'a', 'a', 'b', 'a']) limiter.take(key);
    expect(limiter.take('b')).toBe(0);
    expect(limiter.take('a')).toBe(500);
    limiter.take('c');
    expect(limiter.size).toBe(2);
    expect(limiter.take('a')).toBe(500);
    expect(limiter.take('b')).toBe(0);
  });
});

describe('the limits of callers', () => {
  const key = (accessKeyId: string) => ({ protocol: 'HTTP', accessKeyId }) as const;
  const create = (limits: CallerLimits) => new CallerThrottle(limits, () => 0);

  test('each caller has their own', () => {
    const throttle = create({ perCaller: { perSecond: 0.5, burst: 1 } });
    expect(throttle.check(key('a'))).toBeUndefined();
    expect(throttle.check(key('a'))).toEqual({ retryAfterMs: 2000, details: 'The rate limit of this caller.' });
    expect(throttle.check(key('b'))).toBeUndefined();
  });

  test('kinds of callers of the same name are different callers', () => {
    const throttle = create({ perCaller: { perSecond: 1, burst: 1 } });
    const callers = [
      key('a'),
      { protocol: 'HTTP', jwtSubject: 'a' },
      { protocol: 'HTTP', jwtSubject: 'b' },
      { protocol: 'HTTP', certificate: { commonName: 'a' } },
    ] as const;
    expect(callers.map((caller) => throttle.check(caller))).toEqual(callers.map(() => undefined));
  });

  test('a caller over their own limit takes nothing from what is everybody’s', () => {
    const throttle = create({ perCaller: { perSecond: 1, burst: 1 }, global: { perSecond: 1, burst: 2 } });
    throttle.check(key('a'));
    throttle.check(key('a'));
    expect(throttle.check(key('b'))).toBeUndefined();
    expect(throttle.check(key('c'))?.details).toBe('The rate limit of all callers together.');
  });

  test('without limits nobody is stopped', () => {
    const throttle = create({});
    for (let index = 0; index < 1000; index += 1) expect(throttle.check(key('a'))).toBeUndefined();
  });
});
