import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
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
    for (let i = 0; i < 500; i++) log.directMessage(delivered());
    await log.close();
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(500);
    expect(log.dropped).toBe(0);
  });

  it('drops and counts what does not fit into its buffer, and writes whole lines only', async () => {
    const destination = openFileDestination({ fd: openSync(file, 'w'), maxBufferBytes: 2000 });
    const log = createEventLog({ accountId: '0', destination });
    for (let i = 0; i < 100; i++) log.directMessage(delivered());
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
    log.directMessage(delivered());
    await log.close();
  });

  it('takes lines after its end without a word', async () => {
    const log = createEventLog({ accountId: '0', destination: openFileDestination({ fd: openSync(file, 'w') }) });
    await log.close();
    log.directMessage(delivered());
    expect(log.dropped).toBe(1);
  });
});
