import { parsePolicy } from '../../src/policy/reading/document.js';
import { formatProblem, PolicyLoadError, Reporter, type Problem } from '../../src/policy/reading/problems.js';
import { ARN, policy, setOf } from './support/set.js';

/** What is wrong with the text of a policy, one line a problem. */
function problemsOf(text: string): string[] {
  const problems: Problem[] = [];
  const document = parsePolicy('p', text, new Reporter(problems, 'p.json'));
  expect(document === undefined).toBe(problems.some(({ severity }) => severity === 'error'));
  return problems.map(formatProblem);
}

const good = { Effect: 'Allow', Action: 'iot:Publish', Resource: `${ARN}topic/a` };

/** The problems of a policy with one statement that differs from a good one. */
function ofStatement(differences: object): string[] {
  return problemsOf(JSON.stringify(policy({ ...good, ...differences })));
}

test('names that stand twice are errors beside all others, with statement, path and place', () => {
  const statement = `{"Sid": "A", "Effect": "Allow", "Action": "Publish", "Resource": "*",
    "Effect": "Deny",
    "Condition": {"Bool": {"aws:SecureTransport": "true", "aws:SecureTransport": "false"}}}`;
  expect(problemsOf(`{"Version": "2012-10-17", "Statement": [${statement}], "Version": "2012-10-17"}`)).toEqual([
    'error p.json (A) $.Statement[0].Effect: expected each element once, found "Effect" again at line 2, column 5',
    'error p.json (A) $.Statement[0].Condition.Bool["aws:SecureTransport"]: expected each element once, found "aws:SecureTransport" again at line 3, column 59',
    'error p.json $.Version: expected each element once, found "Version" again at line 3, column 95',
    'error p.json (A) $.Statement[0].Action: expected an action like iot:Connect, iot:* or *, found "Publish"',
  ]);
});

const OPERATORS_MESSAGE = expect.stringContaining(': expected a condition operator (StringEquals,') as string;

test.each<[what: string, differences: object, problem: string]>([
  [
    'an unknown element',
    { Foo: 1 },
    'error p.json (0) $.Statement[0].Foo: expected one of the elements Sid, Effect, Action, NotAction, Resource, NotResource, Condition, found this one',
  ],
  [
    'a Principal',
    { Principal: '*' },
    'error p.json (0) $.Statement[0].Principal: expected one of the elements Sid, Effect, Action, NotAction, Resource, NotResource, Condition, found this one',
  ],
  [
    'an effect in another case',
    { Effect: 'allow' },
    'error p.json (0) $.Statement[0].Effect: expected Allow or Deny, found "allow"',
  ],
  ['a Sid that is no text', { Sid: 1 }, 'error p.json (0) $.Statement[0].Sid: expected a text, found 1'],
  [
    'an action without service',
    { Action: 'Publish' },
    'error p.json (0) $.Statement[0].Action: expected an action like iot:Connect, iot:* or *, found "Publish"',
  ],
  [
    'an action that is no text',
    { Action: ['iot:Publish', 7] },
    'error p.json (0) $.Statement[0].Action[1]: expected a text, found 7',
  ],
  [
    'no actions',
    { Action: [] },
    'error p.json (0) $.Statement[0].Action: expected a text or a non-empty array of texts, found an array',
  ],
  [
    'Action and NotAction',
    { NotAction: 'iot:Connect' },
    'error p.json (0) $.Statement[0]: expected exactly one of Action and NotAction',
  ],
  [
    'neither Resource nor NotResource',
    { Resource: undefined },
    'error p.json (0) $.Statement[0]: expected exactly one of Resource and NotResource',
  ],
  [
    'a resource that is no ARN',
    { Resource: 'topic/a' },
    'error p.json (0) $.Statement[0].Resource: expected an ARN like arn:aws:iot:us-east-1:123456789012:topic/name, or *, found "topic/a"',
  ],
  [
    'an ARN that is too short',
    { Resource: 'arn:aws:iot:topic/a' },
    'error p.json (0) $.Statement[0].Resource: expected an ARN like arn:aws:iot:us-east-1:123456789012:topic/name, or *, found "arn:aws:iot:topic/a"',
  ],
  [
    'a variable that does not end',
    { Resource: `${ARN}topic/\${iot:ClientId` },
    'error p.json (0) $.Statement[0].Resource: expected ${key}, ${key, \'default\'}, ${*}, ${?} or ${$} after each ${, found "arn:aws:iot:us-east-1:123456789012:topic/${iot:ClientId"',
  ],
  [
    'a default value without quotes',
    { Resource: `${ARN}topic/\${iot:ClientId, x}` },
    `error p.json (0) $.Statement[0].Resource: expected \${key}, \${key, 'default'}, \${*}, \${?} or \${$} after each \${, found "${ARN}topic/\${iot:ClientId, x}"`,
  ],
  [
    'a condition that is no object',
    { Condition: [] },
    'error p.json (0) $.Statement[0].Condition: expected an object of condition operators, found an array',
  ],
  [
    'an operator without keys',
    { Condition: { Bool: {} } },
    'error p.json (0) $.Statement[0].Condition.Bool: expected an object of condition keys, found an object',
  ],
  [
    'a number that is none',
    { Condition: { NumericEquals: { 'aws:EpochTime': 'x' } } },
    'error p.json (0) $.Statement[0].Condition.NumericEquals["aws:EpochTime"]: expected a number',
  ],
  [
    'a number with a variable, which IAM does not have',
    { Condition: { NumericEquals: { 'aws:EpochTime': '${iot:ClientId}' } } },
    'error p.json (0) $.Statement[0].Condition.NumericEquals["aws:EpochTime"]: expected a number',
  ],
  [
    'a date that is none',
    { Condition: { DateLessThan: { 'aws:CurrentTime': '1 May' } } },
    'error p.json (0) $.Statement[0].Condition.DateLessThan["aws:CurrentTime"]: expected an ISO 8601 date or seconds since the epoch',
  ],
  [
    'a date that the calendar does not have',
    { Condition: { DateLessThan: { 'aws:CurrentTime': '2025-13-01' } } },
    'error p.json (0) $.Statement[0].Condition.DateLessThan["aws:CurrentTime"]: expected an ISO 8601 date or seconds since the epoch',
  ],
  [
    'a day that the month does not have',
    { Condition: { DateLessThan: { 'aws:CurrentTime': '2026-02-30' } } },
    'error p.json (0) $.Statement[0].Condition.DateLessThan["aws:CurrentTime"]: expected an ISO 8601 date or seconds since the epoch',
  ],
  [
    'a variable before the fifth colon',
    { Resource: "arn:aws:iot:${aws:RequestedRegion, 'us-east-1'}:123456789012:topic/a" },
    'error p.json (0) $.Statement[0].Resource: expected no policy variable before the fifth colon, found "arn:aws:iot:${aws:RequestedRegion, \'us-east-1\'}:123456789012:topic/a"',
  ],
  [
    'an ARN of too few parts',
    { Resource: 'arn:aws:*iot*' },
    'error p.json (0) $.Statement[0].Resource: expected an ARN like arn:aws:iot:us-east-1:123456789012:topic/name, or *, found "arn:aws:*iot*"',
  ],
  [
    'an address that is none',
    { Condition: { IpAddress: { 'aws:SourceIp': '10.0.0' } } },
    'error p.json (0) $.Statement[0].Condition.IpAddress["aws:SourceIp"]: expected an IPv4 or IPv6 address or a range in CIDR notation',
  ],
  [
    'a prefix that is too long',
    { Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/33' } } },
    'error p.json (0) $.Statement[0].Condition.IpAddress["aws:SourceIp"]: expected an IPv4 or IPv6 address or a range in CIDR notation',
  ],
  [
    'a Bool that is none',
    { Condition: { Bool: { 'aws:SecureTransport': 'yes' } } },
    'error p.json (0) $.Statement[0].Condition.Bool["aws:SecureTransport"]: expected true or false',
  ],
  [
    'a Null that is none',
    { Condition: { Null: { 'iot:ClientId': 'yes' } } },
    'error p.json (0) $.Statement[0].Condition.Null["iot:ClientId"]: expected true or false, found "yes"',
  ],
  [
    'base64 that is none',
    { Condition: { BinaryEquals: { 'iot:ClientId': 'A' } } },
    'error p.json (0) $.Statement[0].Condition.BinaryEquals["iot:ClientId"]: expected base64 with padding',
  ],
  [
    'an ARN condition that is no ARN',
    { Condition: { ArnLike: { 'iot:ClientId': 'thing' } } },
    'error p.json (0) $.Statement[0].Condition.ArnLike["iot:ClientId"]: expected an ARN (six parts between colons) or *',
  ],
  [
    'a value that is an object',
    { Condition: { Bool: { 'aws:SecureTransport': [{}] } } },
    'error p.json (0) $.Statement[0].Condition.Bool["aws:SecureTransport"][0]: expected a text, number or boolean, found an object',
  ],
  [
    'no values',
    { Condition: { StringEquals: { 'iot:ClientId': [] } } },
    'error p.json (0) $.Statement[0].Condition.StringEquals["iot:ClientId"]: expected at least one value',
  ],
  [
    'an unknown action',
    { Action: 'iot:CreateThing' },
    'warning p.json (0) $.Statement[0].Action: iot:CreateThing is no action that is decided here',
  ],
  [
    'an unknown key',
    { Condition: { StringEquals: { 'iot:x': 'y' } } },
    'warning p.json (0) $.Statement[0].Condition.StringEquals["iot:x"]: iot:x is no key that is known here, and never has a value',
  ],
  ...[
    'iot:ConnectAttributes',
    'iot:DomainName',
    'iot:Certificate.Issuer.CommonName',
    'iot:Certificate.SerialNumber',
    'iot:CertificateId',
    'iot:LastWillTopic',
    ['aws:SourceVpc', ''],
    ['iot:Certificate.Subject.AlternativeName.DNSName', ''],
  ].map((told): [string, object, string] => {
    const [key = '', without = 'without the plugin or the door '] = [told].flat();
    return [
      `${key}, which brokers do not tell`,
      { Condition: { StringEquals: { [key]: 'a' } } },
      `warning p.json (0) $.Statement[0].Condition.StringEquals["${key}"]: ${without}brokers do not tell ${key}: an Allow that asks for it does not match, a Deny that asks for it denies`,
    ];
  }),
  [
    'an unknown variable',
    { Resource: `${ARN}topic/\${iot:x}` },
    'warning p.json (0) $.Statement[0].Resource: iot:x is no key that is known here, and never has a value',
  ],
])('%s is reported where it stands', (_, differences, problem) => {
  expect(ofStatement(differences)).toEqual([problem]);
});

test.each(['StringEqual', 'stringEquals', 'NullIfExists', 'ForAnyValue:Null', 'ForEach:StringEquals', 'IfExists', ''])(
  'the operator %p does not exist',
  (operator) => {
    expect(ofStatement({ Condition: { [operator]: { 'iot:ClientId': 'a' } } })).toEqual([OPERATORS_MESSAGE]);
  },
);

test.each<[what: string, text: string, problem: string]>([
  [
    'no JSON',
    '{',
    'error p.json $: expected a name in double quotes or }, found the end of the file at line 1, column 2',
  ],
  [
    'a comma at the end',
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",\n"Action": "*", }]}',
    'error p.json (0) $.Statement[0].Action: expected another name after the comma, or no comma, found "}" at line 2, column 16',
  ],
  ['a byte order mark', '\ufeff{}', 'error p.json $: expected a value, found a byte order mark at line 1, column 1'],
  ['an array', '[]', 'error p.json $: expected an object with Version and Statement, found an array'],
  [
    'an unknown version',
    '{"Version":"2020-01-01","Statement":[]}',
    'error p.json $.Version: expected 2012-10-17 or 2008-10-17, found "2020-01-01"',
  ],
  [
    'no statement',
    '{"Version":"2012-10-17","Statement":[]}',
    'error p.json $.Statement: expected at least one statement',
  ],
  [
    'a statement that is a text',
    '{"Version":"2012-10-17","Statement":["x"]}',
    'error p.json (0) $.Statement[0]: expected a statement, found "x"',
  ],
  [
    'an unknown element of the document',
    '{"Version":"2012-10-17","statement":[]}',
    'error p.json $.statement: expected one of the elements $schema, Version, Id, Statement, found this one',
  ],
])('%s is reported', (_, text, problem) => {
  expect(problemsOf(text)).toContainEqual(problem);
});

test('two statements with one Sid are reported, for a decision could not name either', () => {
  const text = JSON.stringify(policy({ Sid: 'A', ...good }, { Sid: 'A', ...good }));
  expect(problemsOf(text)).toEqual(['error p.json (A) $.Statement[1]: expected a Sid that no other statement has']);
});

test('problems name the Sid of their statement', () => {
  expect(ofStatement({ Sid: 'Open', Effect: 'allow' })).toEqual([
    'error p.json (Open) $.Statement[0].Effect: expected Allow or Deny, found "allow"',
  ]);
});

test('a policy without Version is read as 2008-10-17, with a warning', () => {
  expect(problemsOf(JSON.stringify({ Statement: good }))).toEqual([
    'warning p.json $: no Version: it is taken as 2008-10-17, which has no policy variables',
  ]);
});

test('a policy over the limits of AWS is a warning', () => {
  const many = Array.from({ length: 30 }, () => `${ARN}topic/${'x'.repeat(60)}`);
  expect(ofStatement({ Resource: many })).toEqual([
    expect.stringMatching(
      /^warning p\.json \$: \d+ characters are over the limit of AWS: 2048 for AWS IoT, 6144 for IAM/,
    ),
  ]);
});

test('an absurdly long text is shortened in the report', () => {
  const [problem = ''] = ofStatement({ Effect: 'x'.repeat(10_000) });
  expect(problem.length).toBeLessThan(200);
});

test('a policy that nobody has is a warning', () => {
  const set = setOf(
    { p: policy(good), q: policy(good) },
    { principals: { a: { match: { username: 'a' }, policies: ['p'] } } },
  );
  expect(set.problems.map(formatProblem)).toEqual(['warning q.json $: no principal has this policy']);
});

test('a folder with errors does not become a set, and all of its errors are told', () => {
  const load = (): unknown => setOf({ p: policy({ ...good, Effect: 'x' }), q: policy({ ...good, Action: 'x' }) });
  expect(load).toThrow(PolicyLoadError);
  expect(load).toThrow(/p\.json[^\n]*Effect[^]*q\.json[^\n]*Action/);
});
