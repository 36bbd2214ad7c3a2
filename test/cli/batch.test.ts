import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { partsOf } from '../../src/cli/batch/parts.js';
import { progressLine, Tally } from '../../src/cli/batch/progress.js';
import type { Reason } from '../../src/reasons.js';
import { CREDENTIALS, startServer, type TestServer } from '../http/support.js';

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');

let server: TestServer;
let folder: string;
let file: string;
beforeEach(async () => {
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), 'tightbeam-batch-'));
  file = join(folder, 'messages.ndjson');
});
afterEach(async () => {
  await server.dataPlane.stop();
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function send(...args: string[]): Promise<Ended> {
  const env = {
    PATH: process.env['PATH'],
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    TIGHTBEAM_URL: `http://127.0.0.1:${server.port}`,
  };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, 'send', ...args], { env }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? NaN, stdout, stderr });
    });
  });
}

function outcomes(path = `${file}.outcomes`): Record<string, unknown>[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
}

function write(clientIds: readonly string[]): void {
  const lines = clientIds.map((clientId) => JSON.stringify({ clientId, topic: 'cmd', confirmation: true }));
  writeFileSync(file, lines.join('\n'));
}

describe('tightbeam send --batch', () => {
  test('writes each outcome to a file, and says what came of the whole', async () => {
    write(['lock-1', 'lock-2', 'lock-3']);
    const { code, stdout } = await send('--batch', file);
    expect(stdout).toMatch(/^3 lines in [0-9.]+ s, .*\n +3 {2}DELIVERED\noutcomes: .*messages\.ndjson\.outcomes\n$/);
    expect(code).toBe(0);
    const [{ batch } = {}, ...all] = outcomes();
    expect(all.map(({ line }) => line).sort()).toEqual([1, 2, 3]);
    expect(new Set(all.map(({ idempotencyKey }) => idempotencyKey))).toEqual(
      new Set([1, 2, 3].map((line) => `${String(batch)}-${line}`)),
    );
  });

  test('resumes with the lines that are not settled, under the same identities', async () => {
    write(['lock-1', 'silent', 'lock-3']);
    server.delivery.answer = ({ targetClientId }) =>
      Promise.resolve<Reason>(targetClientId === 'silent' ? 'PUBACK_TIMEOUT' : 'DELIVERED');
    expect(await send('--batch', file)).toMatchObject({ code: 8 });
    const refused = await send('--batch', file);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('--resume') });
    server.delivery.answer = () => Promise.resolve('DELIVERED');
    const { code, stdout } = await send('--batch', file, '--resume', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ lines: 1, skipped: 2, counts: { DELIVERED: 1 } });
    const { messages } = server.delivery;
    expect(messages.map(({ targetClientId }) => targetClientId)).toEqual(['lock-1', 'silent', 'lock-3', 'silent']);
    expect(messages[3]?.identity?.id).toBe(messages[1]?.identity?.id);
  });

  test('has the exit code of failures of one kind, and one of its own for several', async () => {
    write(['lock-1', 'gone']);
    server.delivery.answer = ({ targetClientId }) =>
      Promise.resolve<Reason>(targetClientId === 'gone' ? 'CLIENT_NOT_CONNECTED' : 'DELIVERED');
    expect(await send('--batch', file)).toMatchObject({ code: 5 });
    write(['lock-1', 'gone', '']);
    expect(await send('--batch', file, '--outcomes', join(folder, 'others'))).toMatchObject({ code: 10 });
    const broken = outcomes(join(folder, 'others')).find(({ line }) => line === 3);
    expect(broken).toMatchObject({ reason: 'INVALID_CLIENT_ID', field: 'clientId' });
  });

  test('says what is left where the service is gone, and where it refuses', async () => {
    write(['lock-1']);
    server.dataPlane.stop().catch(() => undefined);
    const gone = await send('--batch', file);
    expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining('--resume sends what is left') });
    const wrong = await send('--batch', file, '--outcomes', join(folder, 'more'), '--endpoint', 'http://127.0.0.1:1/x');
    expect(wrong.code).not.toBe(0);
  });

  test('needs --client-id and --topic where there is no batch', async () => {
    expect(await send('--topic', 'cmd')).toMatchObject({ code: 1, stderr: expect.stringContaining('--client-id') });
    expect((await send('--batch', file, '--topic', 'cmd')).code).not.toBe(0);
  });
});

test('tightbeam send --idempotency-key names the delivery', async () => {
  expect(await send('--client-id', 'lock-17', '--topic', 'cmd', '--idempotency-key', 'k1')).toMatchObject({ code: 0 });
  expect(server.delivery.messages).toMatchObject([{ identity: { id: 'k1' } }]);
});

test('a line gets an identity, unless it has one or is no message', async () => {
  const lines = ['{"clientId":"a"}', ' { } ', '{"idempotencyKey":"mine"}', 'no JSON', '', '{"idempotencyKey":"done"}'];
  const journal = { batch: 'b', settled: new Set(['done']) };
  const parts = [];
  for await (const part of partsOf(Readable.from(lines.join('\n')), journal)) parts.push(part);
  expect(parts.map(({ body }) => new TextDecoder().decode(body).split('\n'))).toEqual([
    ['{"idempotencyKey":"b-1","clientId":"a"}', '{"idempotencyKey":"b-2" }', '{"idempotencyKey":"mine"}', 'no JSON'],
  ]);
  expect(parts.map(({ lines: numbers }) => numbers)).toEqual([[1, 2, 3, 4]]);
});

test('the progress line has the bar, the rate, the time left and the reasons', () => {
  const tally = new Tally();
  for (let index = 0; index < 450; index += 1) tally.add({ reason: 'DELIVERED', status: 200 });
  for (let index = 0; index < 50; index += 1) tally.add({ reason: 'PUBACK_TIMEOUT', status: 504 });
  expect(progressLine(tally, 2000, 5)).toBe(
    '[######------------------] 500/2,000 25 %  100/s  15 s left  450 DELIVERED, 50 PUBACK_TIMEOUT',
  );
  expect(progressLine(tally, undefined, 5)).toBe('500 lines  100/s  450 DELIVERED, 50 PUBACK_TIMEOUT');
});
