import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { Command } from 'commander';
import { policyCommand } from '../../src/cli/policy/commands.js';

const EXAMPLES = new URL('../../policies', import.meta.url).pathname;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tightbeam-cli-'));
  await cp(EXAMPLES, folder, { recursive: true });
});
afterEach(async () => {
  process.exitCode = undefined;
  await rm(folder, { recursive: true });
});

/** Runs `policy ...` on the copied folder. */
function run(...args: string[]): Promise<{ output: string; exitCode: number }> {
  return runAlone(...args, '--policies', folder);
}

async function runAlone(...args: string[]): Promise<{ output: string; exitCode: number }> {
  const lines: string[] = [];
  const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  try {
    const program = new Command().exitOverride();
    policyCommand(program.command('policy'));
    await program.parseAsync(['policy', ...args], { from: 'user' });
  } finally {
    write.mockRestore();
  }
  const exitCode = Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  return { output: lines.join(''), exitCode };
}

async function edit(file: string, text: string, by: string): Promise<void> {
  const path = join(folder, file);
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
    '  backend/ConnectAsItself (Allow) does not match: it is not about iot:SendDirectMessage; the resource is none of arn:aws:iot:us-east-1:000000000000:client/backend-*',
    '  backend/CommandLocks (Allow) does not match: StringLike iot:Topic: cmd/* does not hold for "config/set"',
    '  backend/NoFirmwareByDirectMessage (Deny) does not match: StringLike iot:Topic: cmd/firmware/* does not hold for "config/set"',
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
  const { output, exitCode } = await run('test', join(folder, 'missing.json'));
  expect(exitCode).toBe(1);
  expect(output).toMatch(/^error missing\.json \$: cannot be read: ENOENT/);
});

test('test compares the decisions with the table', async () => {
  const table = join(folder, 'tests', 'locks.json');
  expect(await run('test', table)).toEqual({ output: '11 of 11 passed\n', exitCode: 0 });
  await edit('backend.json', '"cmd/*"', '"command/*"');
  const { output, exitCode } = await run('test', table);
  expect(exitCode).toBe(1);
  expect(output).toContain('FAILED the backend may open a lock\n');
  expect(output).toContain('10 of 11 passed\n');
});

describe('the configuration of the service', () => {
  const VARIABLES = ['TIGHTBEAM_POLICIES', 'TIGHTBEAM_AWS_ACCOUNT_ID', 'TIGHTBEAM_AWS_REGION'];
  afterEach(() => {
    for (const name of VARIABLES) Reflect.deleteProperty(process.env, name);
  });

  test('says which folder and account the commands are about, by its environment', async () => {
    process.env['TIGHTBEAM_POLICIES'] = folder;
    expect(await runAlone('check')).toEqual({ output: '0 errors, 0 warnings\n', exitCode: 0 });
    process.env['TIGHTBEAM_AWS_ACCOUNT_ID'] = '123456789012';
    const { output } = await runAlone('check');
    expect(output).toContain('the service stands for arn:aws:iot:us-east-1:123456789012:');
    expect((await runAlone('check', '--account-id', '000000000000')).output).toBe('0 errors, 0 warnings\n');
  });

  test('says by its file how subscriptions are decided, and the command line may say otherwise', async () => {
    const file = join(folder, 'tightbeam.yaml');
    await writeFile(file, `policies: ${folder}\nauthorization: { receiveOnSubscribe: "off" }\n`);
    await edit('device.json', '"arn:aws:iot:us-east-1:000000000000:topic/state/${iot:ClientId}",', '');
    const asked = [
      ...['explain', '--config', file, '--principal', 'lock-17'],
      ...['--action', 'iot:Subscribe', '--resource', 'topicfilter/state/lock-17/#'],
    ];
    expect((await runAlone(...asked)).output).toMatch(/^allow/);
    expect((await runAlone(...asked, '--receive-on-subscribe', 'every')).output).toMatch(/^deny/);
  });

  test('that the service would not start with is told as an error', async () => {
    const file = join(folder, 'tightbeam.yaml');
    await writeFile(file, 'polices: x\n');
    const { output, exitCode } = await runAlone('check', '--config', file);
    expect(output).toContain('polices');
    expect(exitCode).toBe(1);
  });
});
