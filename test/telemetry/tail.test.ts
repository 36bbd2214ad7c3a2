import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Command } from 'commander';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { tailCommand, follow, type TailOptions } from '../../src/cli/tail.js';
import { printFile } from '../../src/cli/tail-file.js';
import { EVENT_TYPES, type EventType } from '../../src/observing/events.js';
import type { EventRecord } from '../../src/observing/events.js';
import { FILTER_PARAMETERS } from '../../src/observing/filter.js';
import { renderTailLine } from '../../src/telemetry/tail/render.js';
import { createTelemetry, type Telemetry } from '../../src/telemetry/telemetry.js';
import { captureLog } from './capture.js';
import { delivered, denied, device, TRACE_ID } from './samples.js';

const success: EventRecord & { timestamp: string } = {
  timestamp: '2026-11-21T03:04:05.678Z',
  traceId: TRACE_ID,
  status: 'Success',
  eventType: 'SendDirectMessage',
  principalId: 'backend',
  targetClientId: 'lock-17',
  topicName: 'locks/17/open',
  reason: 'DELIVERED',
  durationMs: 12.34,
  policy: 'BackendCommands',
  statement: 'SendCommands',
};

describe('a line of tightbeam tail', () => {
  it('tells in one line what, how long, from whom, to whom, and what decided', () => {
    expect(renderTailLine(success, { colour: false })).toBe(
      '03:04:05.678  ok    SendDirectMessage     DELIVERED                       12.3 ms  backend > lock-17  locks/17/open' +
        `  by BackendCommands/SendCommands  ${TRACE_ID}`,
    );
  });

  it('says of a denial what was asked and why it was denied', () => {
    const { action, resource, cause } = denied;
    const line = renderTailLine(
      { ...success, status: 'Failure', reason: 'SENDER_NOT_AUTHORIZED', action, resource, cause },
      { colour: false },
    );
    expect(line).toContain('FAIL  SendDirectMessage');
    expect(line).toContain(`${action} ${resource} ${cause}`);
  });

  it('keeps its columns in one place for the longest reason', () => {
    const at = (reason: EventRecord['reason']) =>
      renderTailLine({ ...success, reason }, { colour: false }).indexOf('backend >');
    expect(at('CLIENT_OFFLINE_WITH_SESSION')).toBe(at('DELIVERED'));
  });

  it('keeps its columns in one place for every event type', () => {
    const at = (eventType: EventType) =>
      renderTailLine({ ...success, eventType }, { colour: false }).indexOf('backend >');
    expect(new Set(EVENT_TYPES.map(at)).size).toBe(1);
  });

  it('is coloured only where that is asked for', () => {
    expect(renderTailLine(success, { colour: true })).toContain('\u001b[32mDELIVERED');
    expect(renderTailLine(success, { colour: false })).not.toContain('\u001b');
  });

  it('gives no client a way to command the terminal', () => {
    const line = renderTailLine(
      { ...success, targetClientId: '\u001b[2Jevil\n', topicName: 'a\u202eb' },
      { colour: false },
    );
    expect(line).toContain('\\u{1b}[2Jevil\\u{a}');
    expect(line).toContain('a\\u{202e}b');
  });

  it('fits the columns of a terminal: what does not fit stands below, under the outcome', () => {
    const { action, resource, cause } = denied;
    const lines = renderTailLine(
      { ...success, status: 'Failure', reason: 'CLIENT_OFFLINE_WITH_SESSION', action, resource, cause },
      { colour: true, width: 100 },
    )
      .replaceAll(/\p{Cc}\[\d+m/gu, '')
      .split('\n');
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    for (const line of lines.slice(1)) expect(line).toMatch(/^ {14}\S/);
  });

  it('says how much was not shown', () => {
    expect(renderTailLine({ missed: 3 }, { colour: false })).toContain('3 not shown');
  });
});

describe('tightbeam tail', () => {
  let telemetry: Telemetry;
  let url: string;
  beforeEach(async () => {
    const log = { accountId: '0', destination: captureLog() };
    telemetry = await createTelemetry({ version: '0', log, metrics: false, env: {} });
    url = `http://127.0.0.1:${await telemetry.listen({ host: '127.0.0.1', port: 0 })}`;
  });
  afterEach(() => telemetry.close());

  function tail(options: Partial<TailOptions>) {
    const output = new PassThrough();
    const notices = new PassThrough({ encoding: 'utf8' });
    const lines = createInterface({ input: output })[Symbol.asyncIterator]();
    const stop = new AbortController();
    const terminal = { output, notices, colour: false, signal: stop.signal };
    const ended = follow({ url, color: true, ...options }, terminal);
    return { line: async () => String((await lines.next()).value), stop, ended, notices };
  }

  /** Tells of a device until a follower has seen it: from then on the follower sees everything. */
  async function seen(line: () => Promise<string>): Promise<string> {
    const tell = setInterval(() => {
      telemetry.events.tell('SendDirectMessage', delivered({ reason: 'INTERNAL_ERROR' }));
    }, 1);
    const first = await line();
    clearInterval(tell);
    return first;
  }

  it('prints what matches as it happens, until it is told to stop', async () => {
    const { line, stop, ended } = tail({ clientId: ['lock-*'], failures: true });
    await seen(line);
    telemetry.events.tell('SendDirectMessage', delivered());
    telemetry.events.tell('Disconnect', { identity: device, disconnectReason: 'normal' });
    telemetry.events.tell('SendDirectMessage', delivered({ reason: 'RECEIVER_DISCONNECTED' }));
    let next = await line();
    while (next.includes('INTERNAL_ERROR')) next = await line();
    expect(next).toMatch(/RECEIVER_DISCONNECTED .* backend > lock-17/);
    stop.abort();
    await ended;
  });

  it('prints JSON where that is asked for', async () => {
    const { line, stop, ended } = tail({ json: true });
    const first = await seen(line);
    stop.abort();
    await ended;
    expect(JSON.parse(first)).toMatchObject({ reason: 'INTERNAL_ERROR', traceId: TRACE_ID });
  });

  it('waits for a service that goes away, and goes on when it is back', async () => {
    const { line, stop, ended, notices } = tail({});
    await seen(line);
    const { port } = new URL(url);
    await telemetry.close();
    expect(String((await once(notices, 'data'))[0])).toContain('The service has gone');
    telemetry = await createTelemetry({ version: '0', log: { accountId: '0', destination: captureLog() }, env: {} });
    await telemetry.listen({ host: '127.0.0.1', port: Number(port) });
    expect(String((await once(notices, 'data'))[0])).toContain('It is back');
    stop.abort();
    await ended;
  });

  it('begins with what has been, and ends there where it is not to follow', async () => {
    telemetry.events.tell('SendDirectMessage', delivered({ reason: 'PUBACK_TIMEOUT' }));
    telemetry.events.tell('SendDirectMessage', delivered());
    const { line, ended } = tail({ last: 1, follow: false });
    expect(await line()).toContain('DELIVERED');
    await ended;
  });

  it('prints the events of a log, whatever stands before them on their lines', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tightbeam-'));
    const file = join(folder, 'log');
    const lines = [
      `tightbeam-1  | ${JSON.stringify(success)}`,
      '{"logLevel":"INFO","msg":"ready"}',
      'no JSON {',
      JSON.stringify({ ...success, reason: 'PUBACK_TIMEOUT', status: 'Failure' }),
    ];
    writeFileSync(file, lines.join('\n'));
    const printed = async (options: object, filter: object): Promise<string[]> => {
      const output = new PassThrough({ encoding: 'utf8' });
      await printFile({ file, ...options }, filter, { output, notices: output, colour: false });
      return String(output.read() ?? '')
        .trim()
        .split('\n');
    };
    try {
      expect(await printed({}, {})).toEqual([
        expect.stringContaining('DELIVERED'),
        expect.stringContaining('PUBACK_TIMEOUT'),
      ]);
      expect(await printed({ last: 1 }, {})).toEqual([expect.stringContaining('PUBACK_TIMEOUT')]);
      expect(await printed({ json: true }, { reasons: ['DELIVERED'] })).toEqual([JSON.stringify(success)]);
      expect(await printed({ since: '2026-11-21T03:04:06Z' }, {})).toEqual(['']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('ends with an explanation where no service answers, or it refuses', async () => {
    await expect(tail({ url: 'http://127.0.0.1:1' }).ended).rejects.toThrow('No service answers at http://127.0.0.1:1');
    await expect(tail({ reason: Array.from({ length: 65 }, () => 'A') }).ended).rejects.toThrow('400');
  });

  it('shows the token of the file that the environment names, where none is given', async () => {
    const shown: (string | undefined)[] = [];
    const service = createServer((request, response) => {
      shown.push(request.headers.authorization);
      response.writeHead(401).end('no');
    }).listen(0, '127.0.0.1');
    await once(service, 'listening');
    const folder = mkdtempSync(join(tmpdir(), 'tightbeam-'));
    process.env['TIGHTBEAM_TAIL_TOKEN_FILE'] = join(folder, 'token');
    writeFileSync(join(folder, 'token'), 'from file\n');
    const run = (...args: string[]) => {
      const program = new Command();
      tailCommand(program.command('tail'));
      const [command] = program.commands;
      command?.exitOverride().configureOutput({ writeErr: () => undefined });
      const { port } = service.address() as AddressInfo;
      return program.parseAsync(['tail', '--url', `http://127.0.0.1:${port}`, ...args], { from: 'user' });
    };
    try {
      await expect(run()).rejects.toThrow('answers 401: no');
      await expect(run('--token', 'given')).rejects.toThrow('answers 401: no');
      expect(shown).toEqual(['Bearer from file', 'Bearer given']);
    } finally {
      delete process.env['TIGHTBEAM_TAIL_TOKEN_FILE'];
      rmSync(folder, { recursive: true });
      await new Promise((resolve) => service.close(resolve));
    }
  });

  it('offers a filter on the command line for each that the service has', () => {
    const program = new Command();
    tailCommand(program.command('tail'));
    const options = program.commands[0]?.options.map(({ long }) => long) ?? [];
    expect(options).toEqual(expect.arrayContaining(Object.keys(FILTER_PARAMETERS).map((name) => `--${name}`)));
  });
});
