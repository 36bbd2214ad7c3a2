import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileDestination } from '../../src/telemetry/log/destination.js';
import { createEventLog } from '../../src/telemetry/log/event-log.js';
import { delivered } from './samples.js';

describe('the log destination', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tightbeam-log-'));
    file = join(folder, 'log');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('has written every line when it is closed', async () => {
    const log = createEventLog({ accountId: '0', destination: openFileDestination({ fd: openSync(file, 'w') }) });
    for (let i = 0; i < 500; i++) log.tell('SendDirectMessage', delivered());
    await log.close();
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(500);
    expect(log.dropped).toBe(0);
  });

  it('drops and counts what does not fit into its buffer, and writes whole lines only', async () => {
    const destination = openFileDestination({ fd: openSync(file, 'w'), maxBufferBytes: 2000 });
    const log = createEventLog({ accountId: '0', destination });
    for (let i = 0; i < 100; i++) log.tell('SendDirectMessage', delivered());
    expect(log.dropped).toBeGreaterThan(90);
    await log.close();
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.length + log.dropped).toBe(100);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ reason: 'DELIVERED' });
  });

  it('neither throws nor waits where the descriptor cannot be written', async () => {
    const fd = openSync(file, 'w');
    closeSync(fd);
    const log = createEventLog({
      accountId: '0',
      destination: openFileDestination({ fd, closeTimeoutMs: 10 }),
    });
    log.tell('SendDirectMessage', delivered());
    await log.close();
  });

  it('leaves what it has when the process ends without closing it', () => {
    const module = new URL('../../src/telemetry/log/destination.ts', import.meta.url).href;
    const script = `import(${JSON.stringify(module)}).then(({ openFileDestination }) => {
      openFileDestination().write('the last line\\n');
      throw new Error('a defect');
    })`;
    const { stdout, status } = spawnSync(process.execPath, ['--import', 'tsx', '-e', script], { encoding: 'utf8' });
    expect([stdout, status]).toEqual(['the last line\n', 1]);
  });

  it('goes on where a reader was slow for a while', async () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    // Open for both, so that opening waits for nobody; a write that finds the pipe full fails.
    const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const destination = openFileDestination({ fd, closeTimeoutMs: 60_000 });
    const line = `${'x'.repeat(999)}\n`;
    const lines = 200;
    for (let i = 0; i < lines; i++) destination.write(line);
    const closed = destination.close();
    let read = 0;
    const chunk = Buffer.alloc(64 * 1024);
    while (read < lines * line.length) {
      try {
        read += readSync(fd, chunk);
      } catch {
        await new Promise(setImmediate);
      }
    }
    await closed;
    expect([read, destination.dropped]).toEqual([lines * line.length, 0]);
  });

  it('takes lines after its end without a word', async () => {
    const log = createEventLog({ accountId: '0', destination: openFileDestination({ fd: openSync(file, 'w') }) });
    await log.close();
    log.tell('SendDirectMessage', delivered());
    expect(log.dropped).toBe(1);
  });
});
