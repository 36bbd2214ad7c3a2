import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CliFolder, EXAMPLES, runAlone } from './cli-folder.js';

const copy = new CliFolder();
const { run } = copy;

async function edit(file: string, text: string, by: string): Promise<void> {
  const path = join(copy.folder, file);
  await writeFile(path, (await readFile(path, 'utf8')).replace(text, by));
}

test('check has nothing to say about the examples', async () => {
  expect(await run('check')).toEqual({ output: '0 errors, 0 warnings\n', exitCode: 0 });
});

test('check reports the errors of all files at once, and fails', async () => {
  await edit('backend.json', '"iot:Connect"', '"Connect"');
  await edit('device.json', '"Effect"', '"Efect"');
  await edit('principals.json', '"dashboard"]', '"dash"]');
  const { output, exitCode } = await run('check');
  expect(output.split('\n')).toEqual([
    'error backend.json (ConnectAsItself) $.Statement[0].Action: expected an action like iot:Connect, iot:* or *, found "Connect"',
    'error device.json (ConnectAsItself) $.Statement[0].Efect: expected one of the elements Sid, Effect, Action, NotAction, Resource, NotResource, Condition, found this one',
    'error device.json (ConnectAsItself) $.Statement[0].Effect: expected Allow or Deny, found nothing',
    'error principals.json (dashboard) $.principals.dashboard.policies[0]: expected the name of a policy in this folder (its file without .json), found "dash"',
    'warning dashboard.json $: no principal has this policy',
    '4 errors, 1 warnings',
    '',
  ]);
  expect(exitCode).toBe(1);
});

test('check does not fail on warnings', async () => {
  await edit('backend.json', '"iot:Connect"', '["iot:Connect", "iot:UpdateThingShadow"]');
  const { output, exitCode } = await run('check', '--json');
  expect(exitCode).toBe(0);
  expect(JSON.parse(output)).toEqual({
    ok: true,
    problems: [
      {
        severity: 'warning',
        file: 'backend.json',
        where: 'ConnectAsItself',
        path: '$.Statement[0].Action[1]',
        message: 'iot:UpdateThingShadow is no action that is decided here',
      },
    ],
  });
});

test('explain names the determining statement and why each of the others did not match', async () => {
  const { output } = await run(
    ...['explain', '--principal', 'backend', '--action', 'iot:SendDirectMessage', '--resource', 'client/lock-17'],
    ...['--context', 'iot:Topic=config/set'],
  );
  expect(output.split('\n').slice(0, 4)).toEqual([
    'deny (implicitDeny) iot:SendDirectMessage on arn:aws:iot:us-east-1:000000000000:client/lock-17 for backend',
    '  backend/CommandLocks (Allow) does not match: StringLike iot:Topic: cmd/* does not hold for "config/set"',
    '  backend/NoFirmwareByDirectMessage (Deny) does not match: StringLike iot:Topic: cmd/firmware/* does not hold for "config/set"',
    '  backend/SeeConnections (Allow) does not match: it is not about iot:SendDirectMessage',
  ]);
});

test('explain takes a username that stands for a principal, and the whole ARN', async () => {
  const { output } = await run(
    ...['explain', '--principal', 'lock-17', '--action', 'iot:Connect', '--json'],
    ...['--resource', 'arn:aws:iot:us-east-1:000000000000:client/lock-17'],
  );
  expect(JSON.parse(output)).toMatchObject({
    decision: { effect: 'allow', principalId: 'lock', policy: 'device', statement: 'ConnectAsItself' },
    statements: [{ matched: 'yes' }, { matched: 'no' }, { matched: 'no' }, { matched: 'no' }, { matched: 'no' }],
  });
});

test('explain says which topic of a filter may not be received', async () => {
  await edit('device.json', '"arn:aws:iot:us-east-1:000000000000:topic/state/${iot:ClientId}",', '');
  const { output } = await run(
    ...['explain', '--principal', 'lock-17', '--action', 'iot:Subscribe', '--resource', 'topicfilter/state/lock-17/#'],
  );
  expect(output).toContain(
    'deny (implicitDeny) iot:Receive on arn:aws:iot:us-east-1:000000000000:topic/state/lock-17 for',
  );
});

test('what cannot be read and what was probably meant is said', async () => {
  await edit('device.json', '"iot:Receive"', '"iot:Recieve"');
  expect((await run('check')).output).toContain('iot:Recieve is no action that is decided here; is iot:Receive meant?');
  const { output, exitCode } = await run('test', join(copy.folder, 'missing.json'));
  expect(exitCode).toBe(1);
  expect(output).toMatch(/^error missing\.json \$: cannot be read: ENOENT/);
});

test('a misspelt key is told with the one that was probably meant', async () => {
  await edit('device.json', '${iot:Connection.Thing.ThingName}', '${iot:Connection.Thing.ThingNam}');
  expect((await run('check')).output).toContain(
    'iot:Connection.Thing.ThingNam is no key that is known here, and never has a value; is iot:Connection.Thing.ThingName meant?',
  );
});

test('what the command line of AWS prints of a policy is a policy', async () => {
  const document = JSON.parse(await readFile(join(copy.folder, 'backend.json'), 'utf8')) as Record<string, unknown>;
  delete document['$schema'];
  const before = (await run('what-can', '--principal', 'backend')).output;
  const printed = [
    { policyName: 'x', policyArn: 'arn', policyDocument: JSON.stringify(document), defaultVersionId: '1' },
    { PolicyVersion: { Document: document, VersionId: 'v1', IsDefaultVersion: true } },
  ];
  for (const output of printed) {
    await writeFile(join(copy.folder, 'backend.json'), JSON.stringify(output));
    expect((await run('check')).output).toBe('0 errors, 0 warnings\n');
    expect((await run('what-can', '--principal', 'backend')).output).toBe(before);
  }
  await writeFile(
    join(copy.folder, 'backend.json'),
    JSON.stringify({ policyDocument: '{"Statement": {"Efect": "Allow"}}' }),
  );
  expect((await run('check')).output).toContain('backend.json (0) $.policyDocument.Statement.Efect: expected one of');
});

test('test compares the decisions with the table', async () => {
  const table = join(copy.folder, 'tests', 'locks.json');
  expect(await run('test', table)).toEqual({ output: '11 of 11 passed\n', exitCode: 0 });
  await edit('backend.json', '"cmd/*"', '"command/*"');
  const { output, exitCode } = await run('test', table);
  expect(exitCode).toBe(1);
  expect(output).toContain('FAILED the backend may open a lock\n');
  expect(output).toContain('10 of 11 passed\n');
});

test('who-can names everybody who may, the statement and the facts that it takes', async () => {
  const asked = ['who-can', '--action', 'iot:SendDirectMessage', '--resource', 'client/lock-17', '--topic', 'cmd/open'];
  expect((await run(...asked)).output.split('\n')).toEqual([
    'backend (accessKeyId=AKIAIOSFODNN7EXAMPLE) by backend/CommandLocks',
    'operator (accessKeyId=AKIAIOPERATOREXAMPLE) by operator/TryLocks',
    'backend (username=backend) by backend/CommandLocks',
    '',
  ]);
  const connect = await run('who-can', '--action', 'iot:Connect', '--resource', 'client/lock-17');
  expect(connect.output).toContain('lock (username=lock-17 clientId=lock-17) by device/ConnectAsItself\n');
  const nobody = await run('who-can', '--action', 'iot:Publish', '--resource', 'topic/nowhere');
  expect(nobody).toEqual({ output: 'nobody\n', exitCode: 0 });
});

test('who-can and what-can tell both sides of a direct message', async () => {
  const asked = ['--topic', 'cmd/open', '--action', 'iot:SendDirectMessage', '--resource', 'client/lock-17'];
  const { output } = await run('who-can', '--both-sides', ...asked);
  expect(output).toContain('backend (username=backend) by backend/CommandLocks\n');
  expect(output).toContain('lock (username=lock-17 clientId=lock-17) by device/ConnectAsItself and device/');
  expect(output).toMatch(/it can get through\n$/);
  const other = await run('what-can', '--principal', 'backend', '--to', 'lock-17', '--topic', 'state/x');
  expect(other.output).toMatch(/it can not get through\n$/);
  const json = await run('what-can', '--principal', 'backend', '--to', 'lock-17', '--topic', 'cmd/open', '--json');
  expect(JSON.parse(json.output)).toMatchObject({ reaches: 'yes', unclear: [], receivers: [{ principal: 'lock' }] });
});

test('what-can leaves out what other statements take in, and tells what a Deny takes away', async () => {
  await edit(
    'device.json',
    '"Statement": [',
    `"Statement": [${JSON.stringify({
      Sid: 'Again',
      Effect: 'Allow',
      Action: 'iot:Connect',
      Resource: 'arn:aws:iot:us-east-1:000000000000:client/lock-17',
      Condition: { Bool: { 'iot:Connection.Thing.IsAttached': 'true' } },
    })},`,
  );
  const device = (await run('what-can', '--principal', 'lock-17')).output;
  expect(device).toContain('allow iot:Connect on client/${iot:Connection.Thing.ThingName} (device/ConnectAsItself)\n');
  expect(device).not.toContain('device/Again');
  const backend = (await run('what-can', '--principal', 'backend')).output;
  expect(backend).toMatch(/^allow iot:SendDirectMessage on client\/lock-\* where StringLike iot:Topic: cmd\/\*/m);
  expect(backend).toMatch(/^deny iot:SendDirectMessage .*NoFirmwareByDirectMessage/m);
});

test('lint tells statements that change nothing, and wildcards on both ends', async () => {
  expect(await run('lint', '--strict')).toEqual({ output: '', exitCode: 0 });
  await edit(
    'backend.json',
    '"Statement": [',
    `"Statement": [${JSON.stringify({
      Sid: 'Again',
      Effect: 'Allow',
      Action: 'iot:Connect',
      Resource: 'arn:aws:iot:us-east-1:000000000000:client/backend-1',
    })}, ${JSON.stringify({
      Sid: 'Wide',
      Effect: 'Allow',
      Action: 'iot:Publish',
      Resource: 'arn:aws:iot:us-east-1:000000000000:topic/*door*',
    })},`,
  );
  const { output, exitCode } = await run('lint', '--strict');
  expect(output).toContain('(Again) $.Statement[0]: the statement changes nothing for anybody who has it');
  expect(output).toContain('topic/*door* has a wildcard on both ends of the name');
  expect(exitCode).toBe(1);
});

describe('diff', () => {
  test('says that nothing changes in meaning', async () => {
    expect(await run('diff', EXAMPLES)).toEqual({ output: 'no change in meaning\n', exitCode: 0 });
  });

  test('proves what is newly allowed by a request, and fails where that is asked for', async () => {
    await edit('backend.json', '"cmd/*"', '["cmd/*", "config/*"]');
    const { output, exitCode } = await run('diff', EXAMPLES, '--fail-on-new-access');
    expect(output).toMatch(/^newly allowed for backend: iot:SendDirectMessage on client\/\S+ by .*iot:topic=config\//);
    expect(exitCode).toBe(3);
    expect((await run('diff', EXAMPLES)).exitCode).toBe(0);
    const markdown = await run('diff', EXAMPLES, '--format', 'markdown');
    expect(markdown.output).toMatch(/^## Policies\n\n### Newly allowed\n\n\| principal \| action/);
  });

  test('takes a revision of git for the folder of the policies', async () => {
    const git = (...args: string[]): void => {
      execFileSync('git', ['-C', copy.folder, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args]);
    };
    git('init', '--quiet');
    git('add', '.');
    git('commit', '--quiet', '-m', 'Policies');
    await edit('backend.json', '"cmd/*"', '"cmd/open"');
    expect((await run('diff', 'HEAD', '--fail-on-new-access')).output).toMatch(/^newly denied for backend/);
    const { output, exitCode } = await run('diff', 'nowhere');
    expect(output).toMatch(/^error nowhere \$: is neither a folder nor a revision of git/);
    expect(exitCode).toBe(1);
  });
});

describe('the configuration of the service', () => {
  const VARIABLES = ['TIGHTBEAM_POLICIES', 'TIGHTBEAM_AWS_ACCOUNT_ID', 'TIGHTBEAM_AWS_REGION'];
  afterEach(() => {
    for (const name of VARIABLES) Reflect.deleteProperty(process.env, name);
  });

  test('says which folder and account the commands are about, by its environment', async () => {
    process.env['TIGHTBEAM_POLICIES'] = copy.folder;
    expect(await runAlone('check')).toEqual({ output: '0 errors, 0 warnings\n', exitCode: 0 });
    process.env['TIGHTBEAM_AWS_ACCOUNT_ID'] = '123456789012';
    const { output } = await runAlone('check');
    expect(output).toContain('the service stands for arn:aws:iot:us-east-1:123456789012:');
    expect((await runAlone('check', '--account-id', '000000000000')).output).toBe('0 errors, 0 warnings\n');
  });

  test('says by its file how subscriptions are decided, and the command line may say otherwise', async () => {
    const file = join(copy.folder, 'tightbeam.yaml');
    await writeFile(file, `policies: ${copy.folder}\nauthorization: { receiveOnSubscribe: "off" }\n`);
    await edit('device.json', '"arn:aws:iot:us-east-1:000000000000:topic/state/${iot:ClientId}",', '');
    const asked = [
      ...['explain', '--config', file, '--principal', 'lock-17'],
      ...['--action', 'iot:Subscribe', '--resource', 'topicfilter/state/lock-17/#'],
    ];
    expect((await runAlone(...asked)).output).toMatch(/^allow/);
    expect((await runAlone(...asked, '--receive-on-subscribe', 'every')).output).toMatch(/^deny/);
  });

  test('that the service would not start with is told as an error', async () => {
    const file = join(copy.folder, 'tightbeam.yaml');
    await writeFile(file, 'polices: x\n');
    const { output, exitCode } = await runAlone('check', '--config', file);
    expect(output).toContain('polices');
    expect(exitCode).toBe(1);
  });
});
