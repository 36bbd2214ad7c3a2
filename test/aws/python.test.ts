import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { CREDENTIALS, REGION } from '../http/support.js';
import { startStack, type Stack } from './stack.js';

/** Another Python than that of the PATH, for instance one of a virtual environment with a newer botocore. */
const PYTHON = process.env['TIGHTBEAM_TEST_PYTHON'] ?? 'python3';

/** Runs the suite where the program is there, and says so where it is not. */
function suiteWith(available: boolean, what: string): typeof describe | typeof describe.skip {
  if (!available) process.stderr.write(`SKIPPED: there is no ${what} for test/aws/python.test.ts\n`);
  return available ? describe : describe.skip;
}
const botocore = spawnSync(PYTHON, ['-c', 'import botocore; print(botocore.__version__)'], { encoding: 'utf8' });
const withBotocore = suiteWith(botocore.status === 0, 'botocore (Debian package python3-botocore)');
const withCli = suiteWith(spawnSync('aws', ['--version']).status === 0, 'aws (Debian package awscli)');

let stack: Stack;
beforeEach(async () => {
  stack = await startStack();
});
afterEach(() => stack.stop());

withBotocore('botocore, AWS’s own client for Python', () => {
  type Outcome = {
    readonly result?: unknown;
    readonly error?: string;
    readonly status?: number;
    readonly missing?: true;
  };

  async function call(...calls: (readonly [operation: string, parameters: object])[]): Promise<readonly Outcome[]> {
    const { accessKeyId, secretAccessKey } = CREDENTIALS;
    const parameters = ['test/aws/botocore_calls.py', stack.endpoint, REGION, accessKeyId, secretAccessKey];
    const python = spawn(PYTHON, parameters, { stdio: ['pipe', 'pipe', 'inherit'] });
    python.stdin.end(JSON.stringify(calls));
    const [output] = await Promise.all([text(python.stdout), once(python, 'close')]);
    return JSON.parse(output) as readonly Outcome[];
  }

  /** What this version of botocore does not know is said, and expected of it; all else is as given. */
  function expectOutcomes(outcomes: readonly Outcome[], expected: readonly object[]): void {
    expect(outcomes).toHaveLength(expected.length);
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.missing)
        process.stderr.write(`SKIPPED: botocore ${botocore.stdout.trim()} lacks operation ${index}\n`);
      else expect(outcome).toMatchObject(expected[index] ?? {});
    }
  }

  test('publishes, retains, gets and lists', async () => {
    const outcomes = await call(
      ['publish', { topic: 'state/a b/ü', qos: 1, retain: true, payload: { base64: base64Of('on') } }],
      ['get_retained_message', { topic: 'state/a b/ü' }],
      ['list_retained_messages', { PaginationConfig: { PageSize: 1 } }],
      ['get_retained_message', { topic: 'state/none' }],
      ['publish', { topic: 'a/#' }],
    );
    expectOutcomes(outcomes, [
      { result: {} },
      { result: { topic: 'state/a b/ü', qos: 1, payload: { base64: base64Of('on') } } },
      { result: [{ retainedTopics: [{ topic: 'state/a b/ü', payloadSize: 2, qos: 1 }] }] },
      { error: 'ResourceNotFoundException', status: 404 },
      { error: 'InvalidRequestException', status: 400 },
    ]);
  });

  test('sends direct messages, and asks about and ends connections', async () => {
    await (await stack.broker.connect('Gerät/ü 🔒')).subscribeAsync(['a/+', 'b'], { qos: 1 });
    stack.server.denied.add('client/forbidden');
    const outcomes = await call(
      [
        'send_direct_message',
        { clientId: 'Gerät/ü 🔒', topic: 'cmd/ü', confirmation: true, payload: { base64: base64Of('x') } },
      ],
      ['send_direct_message', { clientId: 'forbidden', topic: 'cmd' }],
      ['get_connection', { clientId: 'Gerät/ü 🔒' }],
      ['list_subscriptions', { clientId: 'Gerät/ü 🔒', PaginationConfig: { PageSize: 1 } }],
      ['delete_connection', { clientId: 'Gerät/ü 🔒' }],
      ['get_connection', { clientId: 'Gerät/ü 🔒' }],
    );
    expectOutcomes(outcomes, [
      { result: { traceId: expect.stringMatching(/^[0-9a-f]{32}$/) } },
      { error: 'ForbiddenException', status: 403 },
      { result: { clientId: 'Gerät/ü 🔒', connected: true } },
      {
        result: [
          { subscriptions: [{ topicFilter: 'a/+', qos: 1 }] },
          { subscriptions: [{ topicFilter: 'b', qos: 1 }] },
        ],
      },
      { result: {} },
      { error: 'ResourceNotFoundException', status: 404 },
    ]);
    if (outcomes[0]?.missing === undefined) {
      expect(stack.server.delivery.messages).toMatchObject([{ targetClientId: 'Gerät/ü 🔒', topic: 'cmd/ü' }]);
    }
  });
});

withCli('aws iot-data, the command line', () => {
  async function aws(...parameters: string[]): Promise<string> {
    const { accessKeyId, secretAccessKey } = CREDENTIALS;
    const env = {
      ...process.env,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_DEFAULT_REGION: REGION,
      AWS_DEFAULT_OUTPUT: 'json',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_MAX_ATTEMPTS: '1',
    };
    const all = ['iot-data', ...parameters, '--endpoint-url', stack.endpoint];
    return (await promisify(execFile)('aws', all, { env })).stdout;
  }

  test('publishes, lists and gets', async () => {
    // Base64 is what version 2 of the command expects by default; what version 1 made of it shows in the payload.
    await aws('publish', '--topic', 'state/1', '--qos', '1', '--retain', '--payload', 'aGVsbG8=');
    expect(JSON.parse(await aws('list-retained-messages'))).toMatchObject({
      retainedTopics: [{ topic: 'state/1', qos: 1 }],
    });
    const got = JSON.parse(await aws('get-retained-message', '--topic', 'state/1')) as { readonly payload: string };
    expect(['aGVsbG8=', base64Of('aGVsbG8=')]).toContain(got.payload);
  });

  test('shows the exception of a failure', async () => {
    stack.server.denied.add('topic/secret');
    await expect(aws('publish', '--topic', 'secret')).rejects.toThrow(/ForbiddenException.*not authorized/);
  });
});

function base64Of(value: string): string {
  return Buffer.from(value).toString('base64');
}
