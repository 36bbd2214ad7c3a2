import { describe, expect, test } from '@jest/globals';
import type { Identity } from '../../src/identity/identity.js';
import { formatProblem, type PolicyLoadError } from '../../src/policy/reading/problems.js';
import { policy, setOf } from './support/set.js';

const ALLOW_ALL = { p: policy({ Effect: 'Allow', Action: 'iot:Publish', Resource: '*' }) };

const declared = (principals: Readonly<Record<string, object>>) => ({
  principals: Object.fromEntries(
    Object.entries(principals).map(([name, principal]) => [name, { policies: ['p'], ...principal }]),
  ),
});
const anonymous = (...match: object[]) => ({ anonymous: true, match });

function whoIs(principals: Readonly<Record<string, object>>, identity: Partial<Identity>): string | undefined {
  return setOf(ALLOW_ALL, declared(principals)).resolve({ protocol: 'MQTT', ...identity })?.principal.name;
}

function problemsOf(principals: Readonly<Record<string, object>>): string[] {
  try {
    return setOf(ALLOW_ALL, declared(principals)).problems.map(formatProblem);
  } catch (error) {
    return (error as PolicyLoadError).problems.map(formatProblem);
  }
}

const sensor: Partial<Identity> = { clientId: 'sensor-1', sourceIp: '10.1.2.3' };

describe('an anonymous principal stands for a client that proved nothing', () => {
  test.each([
    ['by client ID', { clientId: 'sensor-*' }],
    ['by address', { sourceIp: '10.1.2.3' }],
    ['by a range of addresses', { sourceIp: '10.1.0.0/16' }],
    ['by both', { clientId: 'sensor-1', sourceIp: '10.0.0.0/8' }],
  ])('%s', (_, match) => {
    expect(whoIs({ it: anonymous(match) }, sensor)).toBe('it');
  });

  test.each([
    ['another client ID', { clientId: 'sensor-2' }],
    ['another range', { sourceIp: '10.2.0.0/16' }],
    ['one of both', { clientId: 'sensor-1', sourceIp: '10.2.0.0/16' }],
  ])('and not with %s', (_, match) => {
    expect(whoIs({ it: anonymous(match) }, sensor)).toBeUndefined();
  });

  test('and not where the broker tells no address', () => {
    expect(whoIs({ it: anonymous({ sourceIp: '0.0.0.0/0' }) }, { clientId: 'sensor-1' })).toBeUndefined();
  });

  test.each<[string, Partial<Identity>]>([
    ['a username', { username: 'u' }],
    ['a certificate', { certificate: { commonName: 'u' } }],
    ['an access key', { accessKeyId: 'u' }],
    ['a token', { jwtSubject: 'u' }],
  ])('and never for one that proved %s', (_, proved) => {
    expect(whoIs({ it: anonymous({ clientId: '*' }) }, { ...sensor, ...proved })).toBeUndefined();
  });

  test('and is the most specific one: by client ID first, then by address', () => {
    const principals = {
      all: anonymous({ clientId: '*' }),
      sensors: anonymous({ clientId: 'sensor-*' }),
      near: anonymous({ clientId: 'sensor-*', sourceIp: '10.0.0.0/8' }),
      here: anonymous({ clientId: 'sensor-*', sourceIp: '10.1.2.0/24' }),
    };
    expect(whoIs(principals, sensor)).toBe('here');
    expect(whoIs(principals, { ...sensor, sourceIp: '10.9.9.9' })).toBe('near');
    expect(whoIs(principals, { ...sensor, sourceIp: '192.0.2.1' })).toBe('sensors');
    expect(whoIs(principals, { clientId: 'x' })).toBe('all');
  });
});

test.each([
  ['nothing is said', undefined],
  ['it says no', false],
])('no principal is anonymous where %s', (_, said) => {
  const principal = { match: { clientId: '*' }, ...(said === undefined ? {} : { anonymous: said }) };
  expect(whoIs({ it: principal }, sensor)).toBeUndefined();
});

describe('a check', () => {
  test('warns of each anonymous principal', () => {
    expect(problemsOf({ it: anonymous({ sourceIp: '10.1.0.0/16' }) })).toEqual([
      expect.stringMatching(
        /^warning principals\.json \(it\) \$\.principals\.it\.anonymous: clients that prove nothing/,
      ),
    ]);
  });

  test.each([
    [
      'anything but true and false',
      { anonymous: 'yes', match: { username: 'a' } },
      '.anonymous: expected true or false',
    ],
    ['a username', anonymous({ username: 'a' }), 'username'],
    ['an empty match', anonymous({}), 'expected an object with clientId or sourceIp'],
    ['an address that is none', anonymous({ sourceIp: '10.1.0.0/33' }), '.sourceIp: expected an IPv4 or IPv6 address'],
    ['an address that is no text', anonymous({ sourceIp: 10 }), '.sourceIp: expected an IPv4 or IPv6 address'],
    ['half of a match', anonymous({ clientId: 'a', sourceIp: 'here' }), '.sourceIp: expected an IPv4 or IPv6 address'],
    ['an address of others', { match: { username: 'a', sourceIp: '10.0.0.1' } }, 'sourceIp'],
    [
      'a thing named by what nobody verified',
      { ...anonymous({ clientId: '*' }), thing: { name: '${username}' } },
      'only facts that every match requires',
    ],
  ])('refuses %s', (_, principal, message) => {
    expect(problemsOf({ it: principal }).filter((problem) => problem.startsWith('error'))).toEqual(
      expect.arrayContaining([expect.stringContaining(message)]),
    );
  });

  test('refuses more of them than can be gone through for each client', () => {
    const many = (count: number) => anonymous(...Array.from({ length: count }, (_, at) => ({ clientId: `c${at}` })));
    expect(problemsOf({ it: many(201) })).toContainEqual(expect.stringContaining('at most 200 matches'));
    expect(problemsOf({ it: many(200) })).toHaveLength(1);
  });

  test.each([
    ['the same client IDs', { clientId: 'sensor-*' }, { clientId: 'sensor-*' }, true],
    ['the same addresses', { sourceIp: '10.1.0.0/16' }, { sourceIp: '10.1.9.9/16' }, true],
    ['other client IDs', { clientId: 'a*' }, { clientId: 'b*' }, false],
    ['other addresses', { sourceIp: '10.1.0.0/16' }, { sourceIp: '10.2.0.0/16' }, false],
    ['smaller ranges', { sourceIp: '10.1.0.0/16' }, { sourceIp: '10.1.1.0/24' }, false],
  ])('knows whether two that match %s are ambiguous', (_, one, other, ambiguous) => {
    const errors = problemsOf({ a: anonymous(one), b: anonymous(other) }).filter((line) => line.startsWith('error'));
    expect(errors).toEqual(ambiguous ? [expect.stringContaining('ambiguous')] : []);
  });
});
