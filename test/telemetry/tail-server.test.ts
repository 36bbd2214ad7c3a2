import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { createTelemetry, type Telemetry } from '../../src/telemetry/telemetry.js';
import { MOST_READERS } from '../../src/observing/recent.js';
import { captureLog, type CapturedLog } from './capture.js';
import { delivered, TRACE_ID } from './samples.js';

/** Asks the port; `setHost` as a web page of another name would. */
async function ask(port: number, path: string, headers: Record<string, string> = {}, method = 'GET') {
  const sent = request({ host: '127.0.0.1', port, path, headers, method }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

describe('/events', () => {
  let telemetry: Telemetry;
  let log: CapturedLog;
  let port: number;

  async function open(options: { tailToken?: string; successRatio?: number } = {}): Promise<void> {
    log = captureLog();
    telemetry = await createTelemetry({
      version: '0',
      log: { accountId: '0', destination: log, successRatio: options.successRatio ?? 1 },
      ...(options.tailToken !== undefined && { tailToken: options.tailToken }),
      metrics: false,
      env: {},
    });
    port = await telemetry.listen({ host: '127.0.0.1', port: 0 });
  }
  beforeEach(() => open());
  afterEach(() => telemetry.close());

  async function firstRecord(response: IncomingMessage): Promise<Record<string, unknown>> {
    const [chunk] = (await once(response, 'data')) as [Buffer];
    return JSON.parse(chunk.toString().split('\n')[0] ?? '') as Record<string, unknown>;
  }

  it('sends the records of the log as they happen', async () => {
    const response = await ask(port, '/events');
    expect(response.headers['content-type']).toBe('application/x-ndjson');
    telemetry.events.tell('SendDirectMessage', delivered());
    const record = await firstRecord(response);
    expect(record).toMatchObject({ reason: 'DELIVERED', traceId: TRACE_ID, logLevel: 'INFO', accountId: '0' });
    expect(record['timestamp']).toMatch(/^\d{4}-/);
  });

  it('sends only what the filter asks for, and also what the log samples away', async () => {
    await telemetry.close();
    await open({ successRatio: 0 });
    const response = await ask(port, '/events?client-id=lock-*&reason=DELIVERED');
    telemetry.events.tell('SendDirectMessage', delivered({ reason: 'PUBACK_TIMEOUT' }));
    telemetry.events.tell('SendDirectMessage', delivered({ message: { targetClientId: 'other', topic: 't' } }));
    telemetry.events.tell('SendDirectMessage', delivered());
    expect(await firstRecord(response)).toMatchObject({ reason: 'DELIVERED', targetClientId: 'lock-17' });
    expect(log.lines).toHaveLength(1);
  });

  it('begins with what has been, where that is asked for, and ends there without follow', async () => {
    for (const reason of ['PUBACK_TIMEOUT', 'DELIVERED', 'INTERNAL_ERROR'] as const)
      telemetry.events.tell('SendDirectMessage', delivered({ reason }));
    await log.next((line) => line['reason'] === 'INTERNAL_ERROR');
    const lines = (await text(await ask(port, '/events?last=2&follow=false'))).trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as Record<string, unknown>)['reason'])).toEqual([
      'DELIVERED',
      'INTERNAL_ERROR',
    ]);
    expect(await text(await ask(port, '/events?since=1h&reason=PUBACK_TIMEOUT&follow=false'))).toContain(
      'PUBACK_TIMEOUT',
    );
    expect(await text(await ask(port, '/events?follow=false'))).toBe('');
  });

  it.each([
    ['/events?last=many', 400],
    ['/events?colour=red', 400],
    [`/events?${'reason=A&'.repeat(65)}`, 400],
    ['/metrics', 404],
    ['/', 404],
    ['//', 404],
  ])('answers %s with %d', async (path, status) => {
    expect((await ask(port, path)).statusCode).toBe(status);
  });

  it('is read with GET only', async () => {
    expect((await ask(port, '/events', {}, 'POST')).statusCode).toBe(405);
  });

  it('is closed to a web page that has made its name resolve to this machine', async () => {
    expect((await ask(port, '/events', { host: `evil.example:${port}` })).statusCode).toBe(403);
    expect((await ask(port, '/events', { origin: 'http://evil.example' })).statusCode).toBe(403);
    expect((await ask(port, '/events', { host: `localhost:${port}` })).statusCode).toBe(200);
    expect((await ask(port, '/events', { host: `[::1]:${port}` })).statusCode).toBe(200);
  });

  it('asks for the token where one is configured, from wherever', async () => {
    await telemetry.close();
    await open({ tailToken: 'secret' });
    expect((await ask(port, '/events')).statusCode).toBe(403);
    expect((await ask(port, '/events', { authorization: 'Bearer wrong' })).statusCode).toBe(403);
    expect((await ask(port, '/events', { authorization: 'Bearer secret', host: 'tightbeam' })).statusCode).toBe(200);
  });

  it('refuses more followers than it has places for, and has one again when a follower leaves', async () => {
    const followers = await Promise.all(Array.from({ length: MOST_READERS }, () => ask(port, '/events')));
    expect((await ask(port, '/events')).statusCode).toBe(503);
    const [first] = followers;
    first?.destroy();
    // The server learns of the end of the connection by the next event that it handles.
    for (;;) if ((await ask(port, '/events')).statusCode === 200) break;
  });
});
