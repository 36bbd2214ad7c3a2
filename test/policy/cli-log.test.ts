import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CliFolder } from './cli-folder.js';

const copy = new CliFolder();
const { run } = copy;

describe('with a log of the service', () => {
  const LINES = [
    { eventType: 'Connect', status: 'Success', protocol: 'MQTT', clientId: 'lock-17', principalId: 'lock' },
    {
      eventType: 'Subscribe',
      status: 'Success',
      protocol: 'MQTT',
      clientId: 'lock-17',
      principalId: 'lock',
      topicName: 'state/lock-17/#',
    },
  ].map((line) => JSON.stringify({ ...line, username: 'lock-17', policy: 'device', statement: 'ConnectAsItself' }));

  async function log(): Promise<string> {
    const file = join(copy.folder, 'tightbeam.log');
    await writeFile(file, [...LINES, 'a line of another program', ''].join('\n'));
    return file;
  }

  test('suggest prints the policy of a principal, ready for its file', async () => {
    const { output } = await run('suggest', '--from', await log(), '--principal', 'lock');
    const { Statement } = JSON.parse(output) as { Statement: { Sid: string; Resource: string[] }[] };
    expect(Statement.map(({ Sid }) => Sid)).toEqual(['Connect', 'Receive', 'Subscribe']);
    expect(Statement[0]?.Resource).toEqual([expect.stringMatching(/:client\/\$\{iot:Connection.Thing.ThingName\}$/)]);
    await writeFile(join(copy.folder, 'suggested.json'), output);
    expect((await run('check')).output).toMatch(
      /^warning suggested.json.*no principal has this policy\n0 errors, 1 warnings\n$/,
    );
  });

  test('check --used-by names what decided nothing, and what the log does not tell', async () => {
    const { output, exitCode } = await run('check', '--used-by', await log());
    expect(exitCode).toBe(0);
    expect(output).toContain('decided nothing: dashboard/ConnectAsItself\n');
    expect(output).not.toContain('device/ConnectAsItself');
    expect(output).toContain('see `tightbeam policy usage`: device/PublishOwnState\n');
  });
});

describe('explain of a decision that was made', () => {
  const line = (of: object) =>
    JSON.stringify({
      timestamp: '2026-01-01T00:00:00.000Z',
      eventType: 'Publish-In',
      status: 'Failure',
      protocol: 'MQTT',
      traceId: 'a',
      principalId: 'lock',
      clientId: 'lock-17',
      username: 'lock-17',
      action: 'iot:Publish',
      resource: 'arn:aws:iot:us-east-1:000000000000:topic/state/lock-18/door',
      cause: 'implicitDeny',
      ...of,
    });

  async function explained(lines: readonly string[], ...args: string[]): Promise<string> {
    const file = join(copy.folder, 'tightbeam.log');
    await writeFile(file, lines.join('\n'));
    return (await run('explain', '--log-line', file, ...args)).output;
  }

  test('decides it again by the facts of the line, and says the nearest statement first with what its variables stood for', async () => {
    const output = (await explained([line({})])).split('\n');
    expect(output[0]).toBe('recorded: deny (implicitDeny) by policies it does not name');
    expect(output[1]).toMatch(/^deny \(implicitDeny\) iot:Publish on .*topic\/state\/lock-18\/door for lock$/);
    expect(output[2]).toMatch(/device\/PublishOwnState .*does not match.*\(\$\{iot:ClientId\} is "lock-17"\)/);
  });

  test('says where it would be other today, and by which policies it was made', async () => {
    const output = await explained([
      line({ resource: 'arn:aws:iot:us-east-1:000000000000:topic/state/lock-17/door', policyVersion: 'before' }),
    ]);
    expect(output).toMatch(/^recorded: deny \(implicitDeny\) by policies before; these are [0-9a-f]{12}\n/);
    expect(output).toContain('today it would be other: allow (explicitAllow)\n');
  });

  test('takes the one of a trace', async () => {
    const lines = [line({ traceId: 'a' }), line({ traceId: 'b', action: 'iot:Receive' }), line({ traceId: 'c' })];
    expect(await explained(lines, '--trace', 'b')).toContain('iot:Receive on ');
  });

  test('judges a certificate without username as the service does', async () => {
    const principals = JSON.parse(await readFile(join(copy.folder, 'principals.json'), 'utf8')) as {
      principals: object;
    };
    const byCertificate = {
      match: { commonName: 'press-*' },
      policies: ['device'],
      thing: { name: '${commonName}' },
    };
    await writeFile(
      join(copy.folder, 'principals.json'),
      JSON.stringify({ principals: { ...principals.principals, press: byCertificate } }),
    );
    const { output } = await run(
      ...['explain', '--common-name', 'press-1', '--client-id', 'press-1'],
      ...['--action', 'iot:Connect', '--resource', 'client/press-1'],
    );
    expect(output).toMatch(/^allow \(explicitAllow\) iot:Connect on .*client\/press-1 for press\n/);
    const denied = await explained([
      line({ principalId: 'press', username: undefined, commonName: 'press-1', clientId: 'press-1' }),
    ]);
    expect(denied).toMatch(/for press\n/);
    expect(denied).not.toContain('without value');
  });
});
