/** Many principals: what reading them costs grows with their number, and what is told of them stays short. */
import { tellProblems, type PolicyLoadError } from '../../src/policy/reading/problems.js';
import { policy, setOf } from './support/set.js';

const POLICY = { p: policy({ Effect: 'Allow', Action: 'iot:Publish', Resource: '*' }) };
const MANY = 5_000;

function declared(count: number, matchOf: (index: number) => object): object {
  const entries = Array.from({ length: count }, (_, index) => [
    `principal-${index}`,
    { match: matchOf(index), policies: ['p'] },
  ]);
  return { principals: Object.fromEntries(entries) as object };
}

function problemsOf(principals: object): readonly string[] {
  try {
    setOf(POLICY, principals);
    return [];
  } catch (error) {
    return (error as PolicyLoadError).problems.map(({ message }) => message);
  }
}

// Each would take far longer than a test may if every pair were compared.
test.each<[what: string, matchOf: (index: number) => object]>([
  ['texts', (index) => ({ username: `lock-${index}` })],
  ['patterns with different beginnings', (index) => ({ username: `lock-${index}-*` })],
  ['patterns with different ends', (index) => ({ username: `*-lock-${index}` })],
  ['texts beside the same pattern', (index) => ({ username: `lock-${index}`, clientId: '*' })],
])('many principals by %s are read', (_, matchOf) => {
  expect(problemsOf(declared(MANY, matchOf))).toEqual([]);
});

test('of many ambiguous principals a hundred are told', () => {
  const told = problemsOf(declared(MANY, () => ({ username: 'lock' })));
  expect(told).toHaveLength(101);
  expect(told.at(-1)).toBe('more than 100 of these: the rest is not told');
});

test('an error behind a hundred warnings is told, and keeps the set from being used', () => {
  const principals = declared(200, (index) => (index === 199 ? { clientId: '' } : { clientId: `c${index}` }));
  expect(problemsOf(principals)).toContain('expected a text or a pattern, found ""');
});

test('patterns that begin and end alike are not compared for ever, which is an error', () => {
  const letters = 'abcdefghij'.split('');
  const words = letters.flatMap((one) => letters.flatMap((two) => letters.map((three) => `${one}${two}${three}`)));
  const told = problemsOf(declared(words.length, (index) => ({ username: `?${words[index] ?? ''}?` })));
  expect(told).toEqual(['too many patterns begin and end alike to tell whether two of them are ambiguous']);
});

test('problems about texts as long as a file are told in an event of ordinary size', () => {
  const name = 'x'.repeat(1_000_000);
  const principals = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`${index}${name}`, { match: name }]));
  const told = problemsOf({ principals });
  expect(told.every((message) => message.length <= 1_024)).toBe(true);
  expect(tellProblems(Array.from({ length: 101 }, () => 'y'.repeat(1_000)))).toMatch(
    /^(?:y{1000}\n){8}and 93 more: tightbeam policy check tells them$/,
  );
  expect(tellProblems(['one', 'two'])).toBe('one\ntwo');
  expect(tellProblems([])).toBe('');
});
