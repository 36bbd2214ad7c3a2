import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatDirectTopic, isUnderDirect, parseDirectTopic } from '../../src/direct/topic.js';

const clientIds = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
const awkwardIds = fc.string({
  unit: fc.constantFrom('/', '+', '#', '%', '$', ' ', 'ü', '🦊', '2', 'F'),
  minLength: 1,
});
const topics = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 });

describe('a direct topic', () => {
  test('gives back every client ID and topic that was put in', () => {
    fc.assert(
      fc.property(fc.oneof(clientIds, awkwardIds), topics, (targetClientId, topic) => {
        const parsed = parseDirectTopic(formatDirectTopic({ targetClientId, topic }));
        expect(parsed).toEqual({ ok: true, address: { targetClientId, topic } });
      }),
    );
  });

  test('keeps wildcards and slashes of the client ID out of the topic levels', () => {
    fc.assert(
      fc.property(awkwardIds, (targetClientId) => {
        const levels = formatDirectTopic({ targetClientId, topic: 't' }).split('/');
        expect(levels).toHaveLength(3);
        expect(levels[1]).not.toMatch(/[+#$ ]/);
      }),
    );
  });

  test('is under $dm, whatever it addresses', () => {
    fc.assert(
      fc.property(clientIds, topics, (targetClientId, topic) =>
        isUnderDirect(formatDirectTopic({ targetClientId, topic })),
      ),
    );
  });

  test('is never the cause of an exception, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('$', 'd', 'm', '/', '%', '+', 'é', 'C', '3') }),
        fc.boolean(),
        (tail, under) => {
          const text = under ? `$dm/${tail}` : tail;
          const parsed = parseDirectTopic(text);
          if (parsed.ok) expect(isUnderDirect(text)).toBe(true);
        },
      ),
    );
  });

  test.each([
    ['$dm/lock-17/commands/open', 'lock-17', 'commands/open'],
    ['$dm/a%2Fb%2B%23%25/t', 'a/b+#%', 't'],
    ['$dm/gerät/t', 'gerät', 't'],
    ['$dm/a/', 'a', ''],
    ['$dm/a', 'a', ''],
    ['$dm//t', '', 't'],
    ['$dm/a//t', 'a', '/t'],
    ['$dm/a/50%25', 'a', '50%25'],
    ['$dm/', '', ''],
  ])('%s addresses client "%s" on topic "%s"', (text, targetClientId, topic) => {
    expect(parseDirectTopic(text)).toEqual({ ok: true, address: { targetClientId, topic } });
  });

  test.each([
    ['$dm/%/t', 'INVALID_CLIENT_ID'],
    ['$dm/%zz/t', 'INVALID_CLIENT_ID'],
    ['$dm/%C3/t', 'INVALID_CLIENT_ID'],
    ['$dm/+/t', 'INVALID_CLIENT_ID'],
    ['$dm/#', 'INVALID_CLIENT_ID'],
    ['$dm/lock+/t', 'INVALID_CLIENT_ID'],
    ['$dm', 'INVALID_TOPIC'],
    ['$dmx/a/t', 'INVALID_TOPIC'],
    ['dm/a/t', 'INVALID_TOPIC'],
  ])('%s is refused as %s', (text, reason) => {
    expect(parseDirectTopic(text)).toMatchObject({ ok: false, reason });
  });

  test.each([
    ['$dm', true],
    ['$dm/', true],
    ['$dm/#', true],
    ['$dmx/a', false],
    ['$DM/a', false],
    ['x/$dm/a', false],
  ])('%s being under $dm is %s', (text, under) => {
    expect(isUnderDirect(text)).toBe(under);
  });
});
