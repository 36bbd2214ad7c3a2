import fc from 'fast-check';
import { scanJson, type JsonScan } from '../../src/policy/json-scanner.js';
import { finish } from '../../src/policy/work.js';

function scan(text: string): JsonScan {
  return finish(scanJson(text, 9));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const damaged = fc
  .tuple(fc.json(), fc.nat(), fc.nat(3), fc.string({ unit: fc.constantFrom(...Array.from('{}[],:"\\u0e+-.1 \ntrue')) }))
  .map(([text, at, removed, added]) => {
    const start = at % (text.length + 1);
    return text.slice(0, start) + added + text.slice(start + removed);
  });

test('what the scanner reads is what JSON.parse reads', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), damaged), (text) => {
      const { value, fault } = scan(text);
      expect(value).toStrictEqual(parsed(text));
      expect(fault === undefined).toBe(value !== undefined);
    }),
    { numRuns: 3_000 },
  );
});

test('no text that was written from an object has a name twice', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(scan(text).duplicates).toEqual([]);
    }),
  );
});

test.each<[what: string, text: string, expected: string]>([
  ['a comma before a brace', '{"a":1,}', '7 a another name after the comma, or no comma'],
  ['a comma before a bracket', '{"a":[1,]}', '8 a.1 another value after the comma, or no comma'],
  ['no comma between elements', '{"a":1\n"b":2}', '7 a a comma or the closing bracket'],
  ['a name without quotes', '{a:1}', '1  a name in double quotes or }'],
  ['single quotes', "{'a':1}", '1  a name in double quotes or }'],
  ['a comment', '{"a":1 // one\n}', '7 a a comma or the closing bracket'],
  ['two documents', '{}{}', '2  nothing after the end'],
  ['a text that does not end', '{"a":"b', '7 a the closing double quote'],
  ['a line break in a text', '{"a":"b\n"}', '7 a the closing double quote, or \\n and the like for control characters'],
  ['an unknown escape', '{"a":"\\x"}', '6 a one of the escapes of JSON after a backslash'],
  ['a brace that is missing', '{"a":{"b":[1', '12 a.b.0 a comma or the closing bracket'],
  ['a wrong bracket', '{"a":[1}', '7 a.0 a comma or the closing bracket'],
  ['nothing at all', ' ', '1  a value'],
])('%s is found where it stands', (_, text, expected) => {
  const { fault } = scan(text);
  expect(`${fault?.at} ${fault?.steps.join('.')} ${fault?.expected}`).toBe(expected);
});

test('a name is the same however it is written', () => {
  const { duplicates } = scan('{"a":[{"Effect":1,"Eff\\u0065ct":2}],"b":{"a":0},"":1,"":2}');
  expect(duplicates).toEqual([
    { name: 'Effect', at: 18, steps: ['a', 0, 'Effect'] },
    { name: '', at: 53, steps: [''] },
  ]);
});

test.each([
  '{"__proto__":{"a":1},"b":2}',
  '{"constructor":1}',
  '{"2":"b","1":"a"}',
  '{"a":1,"a":2}',
  '"\\ud800"',
  '-0',
])('%s is read as JSON.parse reads it', (text) => {
  expect(JSON.stringify(scan(text).value)).toBe(JSON.stringify(parsed(text)));
  expect(Object.is(scan(text).value, parsed(text)) || typeof scan(text).value === 'object').toBe(true);
});
