import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DEFAULT_LIMITS, type Fault } from '../../src/direct/limits.js';
import { readDirectMessage } from '../../src/direct/request.js';
import { readPublish } from '../../src/operations/requests.js';

/** Code points of which MQTT 5, section 1.5.4, says that a string must not or should not hold them. */
const unfitCodePoint = fc.oneof(
  fc.integer({ min: 0x00, max: 0x1f }),
  fc.integer({ min: 0x7f, max: 0x9f }),
  fc.integer({ min: 0xd800, max: 0xdfff }),
  fc.integer({ min: 0xfdd0, max: 0xfdef }),
  fc
    .tuple(fc.integer({ min: 0, max: 16 }), fc.constantFrom(0xfffe, 0xffff))
    .map(([plane, low]) => plane * 0x10000 + low),
);
/** Text of a device: no wildcard, slash or `$`, so that only the characters are in question. */
const fit = fc
  .string({ unit: 'grapheme', maxLength: 8 })
  .map((text) => text.replace(/[\p{Cc}\p{Noncharacter_Code_Point}/+#$-]/gu, 'x'))
  .filter((text) => !text.startsWith('dm'));
const unfit = fc
  .tuple(fit, unfitCodePoint, fit)
  .map(([before, code, after]) => ({ text: `${before}.${String.fromCodePoint(code)}.${after}`, code }));

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
const payload = new Uint8Array();

interface Fields {
  readonly clientId?: string;
  readonly topic?: string;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly userProperties?: string;
}
const send = (fields: Fields) =>
  readDirectMessage({ clientId: 'lock-17', topic: 'cmd', payload, ...fields }, DEFAULT_LIMITS);
const publish = (fields: Omit<Fields, 'clientId'>) => readPublish({ topic: 'cmd', payload, ...fields }, DEFAULT_LIMITS);

const inMessages = [
  ['topic', (topic: string) => ({ topic }), 'INVALID_TOPIC', 'The topic'],
  ['contentType', (contentType: string) => ({ contentType }), 'INVALID_PARAMETER', 'contentType'],
  ['responseTopic', (responseTopic: string) => ({ responseTopic }), 'INVALID_PARAMETER', 'responseTopic'],
  [
    'the name of a user property',
    (name: string) => ({ userProperties: base64([{ a: 'b' }, { [name]: 'b' }]) }),
    'INVALID_PARAMETER',
    'The name of a user property',
  ],
  [
    'the value of a user property',
    (value: string) => ({ userProperties: base64([{ a: 'b' }, { a: value }]) }),
    'INVALID_PARAMETER',
    'The value of a user property',
  ],
] as const;

function expectFault(read: { readonly ok: true } | ({ readonly ok: false } & Fault), fault: Fault): void {
  expect(read).toMatchObject({ ok: false, ...fault });
}

describe.each(inMessages)('%s', (_, fieldsWith, reason, subject) => {
  test('is refused with any character that MQTT text should not hold, and named', () => {
    fc.assert(
      fc.property(unfit, ({ text, code }) => {
        const details = `${subject} holds U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
        const fault = { reason, details: expect.stringContaining(details) as unknown as string };
        expectFault(send(fieldsWith(text)), fault);
        expectFault(publish(fieldsWith(text)), fault);
      }),
    );
  });

  test('may hold all other characters', () => {
    fc.assert(
      fc.property(fit, (text) => {
        expect(send(fieldsWith(`a${text}`)).ok).toBe(true);
        expect(publish(fieldsWith(`a${text}`)).ok).toBe(true);
      }),
    );
  });
});

test('a client ID is refused with any character that MQTT text should not hold', () => {
  fc.assert(
    fc.property(unfit, ({ text }) => {
      expectFault(send({ clientId: text }), {
        reason: 'INVALID_CLIENT_ID',
        details: expect.stringContaining('The client ID holds U+') as unknown as string,
      });
    }),
  );
});
