import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { CREDENTIALS, REGION, startServer, type TestServer } from '../http/support.js';

const available = spawnSync('curl', ['--version']).status === 0;
if (!available) process.stderr.write('SKIPPED: there is no curl (Debian package curl) for test/aws/curl.test.ts\n');

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});
afterEach(() => server.dataPlane.stop());

async function curl(path: string, ...options: string[]): Promise<{ status: number; body: Record<string, unknown> }> {
  const user = `${CREDENTIALS.accessKeyId}:${CREDENTIALS.secretAccessKey}`;
  const signing = ['--aws-sigv4', `aws:amz:${REGION}:iotdata`, '--user', user];
  const target = `http://127.0.0.1:${server.port}${path}`;
  const { stdout } = await promisify(execFile)('curl', [
    '--silent',
    '--max-time',
    '5',
    '--write-out',
    '\n%{http_code}',
    ...signing,
    ...options,
    target,
  ]);
  const [body = '', status = ''] = stdout.split('\n');
  return { status: Number(status), body: JSON.parse(body) as Record<string, unknown> };
}

(available ? describe : describe.skip)('curl --aws-sigv4', () => {
  test('sends a direct message', async () => {
    const answer = await curl('/connections/lock-17/messages?confirmation=true&topic=cmd%2Fopen', '--data', 'open');
    expect(answer).toMatchObject({ status: 200, body: { traceId: server.events.direct[0]?.traceId } });
    expect(server.delivery.messages).toMatchObject([
      { targetClientId: 'lock-17', topic: 'cmd/open', payload: Buffer.from('open') },
    ]);
  });

  test('with a wrong secret it is refused', async () => {
    const answer = await curl('/connections/a/messages?topic=b', '--data', 'x', '--user', 'AKIDTEST:wrong');
    expect(answer.status).toBe(401);
  });
});
