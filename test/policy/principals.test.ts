import type { Identity } from '../../src/identity/identity.js';
import { formatProblem, PolicyLoadError } from '../../src/policy/reading/problems.js';
import { authorizerOf, policy, setOf } from './support/set.js';

const ALLOW_ALL = { p: policy({ Effect: 'Allow', Action: 'iot:Publish', Resource: '*' }) };

/** Principals by name with their matches; each has the one policy. */
function principals(matches: Readonly<Record<string, unknown>>): object {
  const entries = Object.entries(matches).map(([name, match]) => [name, { match, policies: ['p'] }] as const);
  return { principals: Object.fromEntries(entries) };
}

function whoIs(matches: Readonly<Record<string, unknown>>, identity: Partial<Identity>): string | undefined {
  return setOf(ALLOW_ALL, principals(matches)).resolve({ protocol: 'MQTT', ...identity })?.principal.name;
}

function problemsOf(declared: unknown): string[] {
  try {
    return setOf(ALLOW_ALL, declared).problems.map(formatProblem);
  } catch (error) {
    return (error as PolicyLoadError).problems.map(formatProblem);
  }
}

const ambiguity = expect.stringContaining('ambiguous: an identity can match this and, just as specifically,') as string;

test.each<[what: string, match: object, identity: Partial<Identity>]>([
  ['a username', { username: 'a' }, { username: 'a' }],
  ['a username by pattern', { username: 'lock-*' }, { username: 'lock-1' }],
  ['a username with an asterisk', { username: 'lock-${*}' }, { username: 'lock-*' }],
  ['a client ID by pattern', { clientId: 'lock-?' }, { username: 'any', clientId: 'lock-1' }],
  ['a common name', { commonName: 'cn' }, { certificate: { commonName: 'cn' } }],
  [
    'a distinguished name by pattern',
    { distinguishedName: '*,O=Example' },
    { certificate: { commonName: 'a', distinguishedName: 'CN=a,O=Example' } },
  ],
  ['an access key', { accessKeyId: 'AKIA' }, { accessKeyId: 'AKIA' }],
  ['the subject of a JWT', { jwtSubject: 'me' }, { jwtSubject: 'me' }],
  ['several facts', { username: 'a', clientId: 'b' }, { username: 'a', clientId: 'b' }],
  ['one of several matches', [{ username: 'x' }, { username: 'a' }], { username: 'a' }],
])('a principal is matched by %s', (_, match, identity) => {
  expect(whoIs({ someone: match }, identity)).toBe('someone');
});

test.each<[what: string, match: object, identity: Partial<Identity>]>([
  ['another username', { username: 'a' }, { username: 'b' }],
  ['a username that only begins alike', { username: 'a' }, { username: 'ab' }],
  ['a username with an asterisk, which is no pattern', { username: 'lock-1' }, { username: 'lock-*' }],
  ['another fact with the same text', { username: 'a' }, { clientId: 'a' }],
  ['one of two facts', { username: 'a', clientId: 'b' }, { username: 'a', clientId: 'c' }],
  ['no facts at all', { username: '*' }, {}],
  ['a client ID alone, of which nothing was verified', { clientId: '*' }, { clientId: 'a' }],
])('%s does not stand for the principal', (_, match, identity) => {
  expect(whoIs({ someone: match }, identity)).toBeUndefined();
});

const everything: Identity = {
  protocol: 'MQTT',
  username: 'lock-1',
  clientId: 'lock-1',
  accessKeyId: 'AKIA',
  jwtSubject: 'lock-1',
  certificate: { commonName: 'lock-1', distinguishedName: 'CN=lock-1' },
};

test('of different facts the stronger one decides: certificate, JWT, access key, username, client ID', () => {
  const matches = {
    byDn: { distinguishedName: 'CN=*' },
    byCn: { commonName: 'lock-1' },
    byJwt: { jwtSubject: 'lock-1' },
    byKey: { accessKeyId: 'AKIA' },
    byName: { username: 'lock-1' },
    byId: { clientId: 'lock-1' },
  };
  const names = Object.keys(matches);
  const resolved = names.map((_, index) => whoIs(Object.fromEntries(Object.entries(matches).slice(index)), everything));
  expect(resolved).toEqual(names);
});

test('of one fact the exact text goes before patterns, and longer patterns before shorter', () => {
  const matches = {
    exact: { username: 'lock-1' },
    longer: { username: 'lock-*' },
    shorter: { username: 'l*' },
    any: { username: '*' },
  };
  const names = ['lock-1', 'lock-2', 'light', 'door'].map((username) => whoIs(matches, { username }));
  expect(names).toEqual(['exact', 'longer', 'shorter', 'any']);
});

test('a further fact makes a match more specific', () => {
  const matches = { both: { username: 'lock-*', clientId: 'lock-1' }, one: { username: 'lock-*' } };
  expect(whoIs(matches, { username: 'lock-1', clientId: 'lock-1' })).toBe('both');
  expect(whoIs(matches, { username: 'lock-1', clientId: 'lock-2' })).toBe('one');
});

test('a client ID that someone merely claims does not make them another principal', () => {
  const matches = { lock: { clientId: 'lock-*' }, dashboard: { username: 'dashboard' } };
  expect(whoIs(matches, { username: 'dashboard', clientId: 'lock-17' })).toBe('dashboard');
});

test.each([
  ['the same text', { username: 'a' }, { username: 'a' }],
  ['patterns of the same length that meet', { username: 'ab*' }, { username: '*ab' }],
  ['a pattern with ? and one with *', { username: 'a?' }, { username: '*a' }],
  ['one of several matches', [{ username: 'x' }, { username: 'a' }], [{ username: 'y' }, { username: 'a' }]],
  ['several facts that meet', { username: 'a', clientId: 'l*' }, { username: 'a', clientId: '*l' }],
])('two principals with %s are ambiguous, which is an error', (_, one, two) => {
  expect(problemsOf(principals({ one, two }))).toEqual([ambiguity]);
});

test.each([
  ['different texts', { username: 'a' }, { username: 'b' }],
  ['patterns of the same length that never meet', { username: 'ab*' }, { username: 'cd*' }],
  ['patterns of the same length with ? that never meet', { username: 'a?' }, { username: 'b?' }],
  ['patterns of different length', { username: 'ab*' }, { username: '*b' }],
  ['different facts', { username: 'a' }, { accessKeyId: 'a' }],
  ['several facts one of which never meets', { username: 'a', clientId: 'x*' }, { username: 'a', clientId: 'y*' }],
])('two principals with %s are not ambiguous', (_, one, two) => {
  expect(problemsOf(principals({ one, two }))).toEqual([]);
});

test('matches of one principal may overlap', () => {
  expect(problemsOf(principals({ one: [{ username: 'ab*' }, { username: '*ab' }] }))).toEqual([]);
});

test('a principal matched by a client ID alone is a warning', () => {
  expect(problemsOf(principals({ one: { clientId: 'a' } }))).toEqual([
    'warning principals.json (one) $.principals.one.match: a client ID is what the client claims: add the username or certificate that was verified',
  ]);
});

test.each<[what: string, principal: object, problem: string]>([
  [
    'no match',
    { policies: ['p'] },
    '$.principals.one.match: expected an object like {"username": "lock-*"} or an array of such',
  ],
  [
    'an empty match',
    { match: {}, policies: ['p'] },
    '$.principals.one.match: expected an object with some of distinguishedName, commonName, jwtSubject, accessKeyId, username, clientId, found an object',
  ],
  [
    'an unknown criterion',
    { match: { user: 'a' }, policies: ['p'] },
    '$.principals.one.match.user: expected one of the elements distinguishedName, commonName, jwtSubject, accessKeyId, username, clientId, found this one',
  ],
  [
    'a variable in a match',
    { match: { username: '${iot:ClientId}' }, policies: ['p'] },
    '$.principals.one.match.username: expected no variables other than ${*}, ${?} and ${$}, found "${iot:ClientId}"',
  ],
  [
    'a wildcard in an access key',
    { match: { accessKeyId: 'AKIA*' }, policies: ['p'] },
    '$.principals.one.match.accessKeyId: expected no wildcards, found "AKIA*"',
  ],
  [
    'a policy that is not there',
    { match: { username: 'a' }, policies: ['q'] },
    '$.principals.one.policies[0]: expected the name of a policy in this folder (its file without .json), found "q"',
  ],
  [
    'a policy twice',
    { match: { username: 'a' }, policies: ['p', 'p'] },
    '$.principals.one.policies[1]: expected each policy once, found "p"',
  ],
  [
    'policies that are no list',
    { match: { username: 'a' }, policies: 'p' },
    '$.principals.one.policies: expected an array of names of policies, found "p"',
  ],
  [
    'a thing without name',
    { match: { username: 'a' }, policies: ['p'], thing: {} },
    '$.principals.one.thing.name: expected a name',
  ],
  [
    'an attribute that is no text',
    { match: { username: 'a' }, policies: ['p'], thing: { name: 't', attributes: { x: 1 } } },
    '$.principals.one.thing.attributes.x: expected a text, found 1',
  ],
  [
    'a placeholder in an attribute of a thing',
    { match: { username: 'a' }, policies: ['p'], thing: { name: 't', attributes: { x: '${username}' } } },
    '$.principals.one.thing.attributes.x: expected a text without ${}, found "${username}"',
  ],
  [
    'an exclusive thing that is neither true nor false',
    { match: { username: 'a' }, policies: ['p'], thing: { name: 't', exclusive: 'yes' } },
    '$.principals.one.thing.exclusive: expected true or false, found "yes"',
  ],
  [
    'a thing name with an unknown fact',
    { match: { username: 'a' }, policies: ['p'], thing: { name: '${user}' } },
    '$.principals.one.thing.name: expected one of distinguishedName, commonName, jwtSubject, accessKeyId, username, clientId in ${}, found "${user}"',
  ],
  [
    'a thing name with a fact that is not matched',
    { match: { username: 'a' }, policies: ['p'], thing: { name: '${commonName}' } },
    '$.principals.one.thing.name: expected only facts that every match requires in ${}, found "commonName"',
  ],
])('%s is an error', (_, principal, problem) => {
  expect(problemsOf({ principals: { one: principal } }).filter((line) => line.startsWith('error'))).toEqual([
    `error principals.json (one) ${problem}`,
  ]);
});

test('the name of a thing may be made of what was matched', () => {
  const declared = {
    principals: {
      lock: {
        match: { username: 'lock-*' },
        policies: ['p'],
        thing: { name: 'site/${username}/${clientId}', type: 'lock', exclusive: true },
      },
    },
  };
  const allow = {
    Effect: 'Allow',
    Action: 'iot:Publish',
    Resource: 'arn:aws:iot:us-east-1:123456789012:topic/${iot:Connection.Thing.ThingName}',
  };
  const authorizer = authorizerOf({ p: policy(allow) }, {}, declared);
  const identity = { protocol: 'MQTT', username: 'lock-1', clientId: 'c' } as const;
  expect(authorizer.publish(identity, 'site/lock-1/c').effect).toBe('allow');
  expect(authorizer.publish(identity, 'site/lock-2/c').effect).toBe('deny');
  expect(authorizer.publish({ protocol: 'MQTT', username: 'lock-1' }, 'site/lock-1/').effect).toBe('deny');
});

test('a text of an identity is never taken as a template', () => {
  const declared = {
    principals: {
      any: { match: { username: '*' }, policies: ['p'], thing: { name: '${username}-${clientId}', exclusive: true } },
    },
  };
  const allow = {
    Effect: 'Allow',
    Action: 'iot:Publish',
    Resource: 'arn:aws:iot:us-east-1:123456789012:topic/${iot:Connection.Thing.ThingName}',
  };
  const identity = { protocol: 'MQTT', username: '${clientId}', clientId: 'c' } as const;
  expect(authorizerOf({ p: policy(allow) }, {}, declared).publish(identity, '${clientId}-c').effect).toBe('allow');
});
