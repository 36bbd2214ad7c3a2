import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { runs } from '../long.js';
import { lineOf } from './batch-client.js';
import { startServer, type TestServer } from './support.js';

/** In the long run more than goes ahead of a client that does not read. */
const LINES = runs(1000, 20_000);

let folder: string;
let server: TestServer;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tightbeam-batch-'));
  const all = Array.from({ length: LINES }, (_, index) =>
    lineOf({ clientId: `lock-${index}`, topic: 'cmd', confirmation: true }),
  );
  writeFileSync(join(folder, 'messages.ndjson'), all.join(''));
  server = await startServer({
    authenticators: [
      {
        scheme: 'token',
        authenticate: ({ headers, peer }) =>
          headers.get('authorization')?.[0] === 'Bearer secret'
            ? { ok: true, identity: { ...peer, jwtSubject: 'backend' } }
            : undefined,
      },
    ],
  });
});
afterEach(async () => {
  await server.dataPlane.stop();
  rmSync(folder, { recursive: true });
});

/** The client of the documentation in this language. */
function documented(language: string): string {
  const block = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(readFileSync('docs/batches.md', 'utf8'));
  return block?.[1] ?? '';
}

const present = (program: string): boolean => spawnSync(program, ['--version']).status === 0;

test.each([
  ['js', 'client.mjs', process.execPath, true],
  ['python', 'client.py', 'python3', present('python3')],
  ['sh', 'client.sh', 'sh', present('curl')],
])('the client of the documentation in %s reads while it writes', async (language, file, program, there) => {
  if (!there) {
    process.stderr.write(`SKIPPED: no ${program} for the client in ${language}\n`);
    return;
  }
  writeFileSync(join(folder, file), documented(language));
  const env = { ...process.env, TOKEN: 'secret', TIGHTBEAM_URL: `http://127.0.0.1:${server.port}` };
  const client = spawn(program, [file, 'messages.ndjson'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const output = await text(client.stdout);
  expect(output.match(/DELIVERED/g)).toHaveLength(LINES);
  expect(server.delivery.messages).toHaveLength(LINES);
});
