import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { matchesTopic } from '../../src/brokers/topic-filter.js';
import { isTopicFilter } from '../../src/policy/matching/topics.js';

describe('a topic filter', () => {
  test.each(['a', '/', '#', '+', 'a/#', '+/+', '/+', 'a//b', '$SYS/#', 'a b', '$share/g/a/+'])(
    'may be %s',
    (filter) => {
      expect(isTopicFilter(filter)).toBe(true);
    },
  );

  test.each(['', 'a+', '+a', 'a#', '#/a', 'a/#/b', '##', 'a/+b/c', 'a\0'])('may not be "%s"', (filter) => {
    expect(isTopicFilter(filter)).toBe(false);
  });

  test.each([
    ['#', 'a/b', true],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/#', 'ab', false],
    ['+', 'a', true],
    ['+', 'a/b', false],
    ['+/+', '/a', true],
    ['a/+/c', 'a/b/c', true],
    ['a/+', 'a', false],
    ['a', 'a/b', false],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true],
    ['$dm/#', '$dm/a/b', true],
  ])('%s matching %s is %s', (filter, topic, matches) => {
    expect(matchesTopic(filter, topic)).toBe(matches);
  });

  const levels = fc.array(fc.constantFrom('', 'a', 'b', 'ü'), { minLength: 1, maxLength: 5 });

  test('matches itself, and so it does with any level a + or any tail a #', () => {
    fc.assert(
      fc.property(levels, fc.nat(), (names, at) => {
        const topic = names.join('/');
        const index = at % names.length;
        expect(matchesTopic(topic, topic)).toBe(true);
        expect(matchesTopic(names.map((name, i) => (i === index ? '+' : name)).join('/'), topic)).toBe(true);
        expect(matchesTopic([...names.slice(0, index), '#'].join('/'), topic)).toBe(true);
      }),
    );
  });
});
