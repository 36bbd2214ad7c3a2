import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkClientId, checkPayload, checkTimeoutMs, checkTopic, DEFAULT_LIMITS } from '../../src/direct/limits.js';

describe('a client ID', () => {
  test.each([
    ['one character', 'a'],
    ['128 characters', 'x'.repeat(128)],
    ['128 characters outside of the basic plane', '🦊'.repeat(128)],
    ['slashes, wildcards, percent signs and spaces', 'a/b+c#d%e f'],
    ['a $ that is not the first character', 'a$'],
  ])('may be %s', (_, clientId) => {
    expect(checkClientId(clientId, DEFAULT_LIMITS)).toBeUndefined();
  });

  test.each([
    ['empty', ''],
    ['129 characters', 'x'.repeat(129)],
    ['129 characters outside of the basic plane', '🦊'.repeat(129)],
    ['starting with $', '$aws'],
    ['holding U+0000', 'a\0b'],
    ['holding an unpaired surrogate', 'a\ud83e'],
  ])('may not be %s', (_, clientId) => {
    expect(checkClientId(clientId, DEFAULT_LIMITS)).toMatchObject({ reason: 'INVALID_CLIENT_ID' });
  });

  test('has the length limit that is configured', () => {
    expect(checkClientId('abc', { ...DEFAULT_LIMITS, clientIdCharacters: 2 })?.details).toContain('2 characters');
  });
});

describe('a topic', () => {
  test.each([
    ['256 bytes', 'x'.repeat(256)],
    ['256 bytes of two-byte characters', 'é'.repeat(128)],
    ['7 slashes', '/'.repeat(7)],
    ['a $ that is not the first character', 'a/$b'],
  ])('may be %s', (_, topic) => {
    expect(checkTopic(topic, DEFAULT_LIMITS)).toBeUndefined();
  });

  test.each([
    ['empty', '', 'INVALID_TOPIC'],
    ['257 bytes', 'x'.repeat(257), 'INVALID_TOPIC'],
    ['129 two-byte characters', 'é'.repeat(129), 'INVALID_TOPIC'],
    ['8 slashes', '/'.repeat(8), 'INVALID_TOPIC'],
    ['with a + wildcard', 'a/+/b', 'INVALID_TOPIC'],
    ['with a # wildcard', 'a/#', 'INVALID_TOPIC'],
    ['with U+0000', 'a\0', 'INVALID_TOPIC'],
    ['starting with $', '$aws/things', 'RESERVED_TOPIC'],
    ['a direct topic itself', '$dm/a/b', 'RESERVED_TOPIC'],
  ])('may not be %s', (_, topic, reason) => {
    expect(checkTopic(topic, DEFAULT_LIMITS)).toMatchObject({ reason });
  });
});

test('a payload fits up to and including the limit', () => {
  expect(checkPayload(131_072, DEFAULT_LIMITS)).toBeUndefined();
  expect(checkPayload(131_073, DEFAULT_LIMITS)).toMatchObject({ reason: 'PAYLOAD_TOO_LARGE' });
});

test('a timeout is a whole number of milliseconds from 1 to 15000', () => {
  expect([1, 5_000, 15_000].map((ms) => checkTimeoutMs(ms, DEFAULT_LIMITS.maxTimeoutMs))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  fc.assert(
    fc.property(
      fc.oneof(fc.integer({ max: 0 }), fc.integer({ min: 15_001 }), fc.constantFrom(1.5, NaN, Infinity)),
      (ms) => checkTimeoutMs(ms, DEFAULT_LIMITS.maxTimeoutMs)?.reason === 'INVALID_PARAMETER',
    ),
  );
});
