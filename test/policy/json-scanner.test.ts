import fc from 'fast-check';
import { scanJson, type JsonScan } from '../../src/policy/reading/json-scanner.js';
import { finish } from '../../src/policy/work.js';

function scan(text: string): JsonScan {
  return finish(scanJson(text, 9));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const damaged = fc
  .tuple(fc.json(), fc.nat(), fc.nat(3), fc.string({ unit: fc.constantFrom(...Array.from('{}[],:"\\u0e+-.1 \ntrue')) }))
  .map(([text, at, removed, added]) => {
    const start = at % (text.length + 1);
    return text.slice(0, start) + added + text.slice(start + removed);
  });

test('what the scanner takes is what JSON.parse takes', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), damaged), (text) => {
      expect(scan(text).fault === undefined).toBe(isJson(text));
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

test('the elements of a large object are told one by one, wherever it stands', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), fc.nat(3), (large, other, spaces) => {
      const text = JSON.stringify({ before: other, large, after: { large: other } }, undefined, spaces);
      const { members } = finish(scanJson(text, 9, 'large'));
      const read = members?.map(({ name, start, end }) => [name, JSON.parse(text.slice(start, end)) as unknown]);
      expect(new Map(read as [string, unknown][])).toEqual(
        new Map(Object.entries(JSON.parse(JSON.stringify(large)) as object)),
      );
    }),
  );
});

test('what is no object has no elements to tell', () => {
  expect(finish(scanJson('{"large":[{"large":{"a":1}}]}', 9, 'large')).members).toBeUndefined();
});
