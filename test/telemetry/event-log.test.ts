import { describe, expect, it } from '@jest/globals';
import { createEventLog, type EventLog, type EventLogOptions } from '../../src/telemetry/log/event-log.js';
import type { EventRecord } from '../../src/observing/events.js';
import type { Decision } from '../../src/policy/authorizer.js';
import { REASONS, type Reason } from '../../src/reasons.js';
import { captureLog, type CapturedLog } from './capture.js';
import { backend, delivered, denied, device, TRACE_ID } from './samples.js';

function openLog(options: Partial<EventLogOptions> = {}): { log: EventLog; out: CapturedLog } {
  const out = captureLog();
  return { log: createEventLog({ accountId: '000000000000', destination: out, ...options }), out };
}

describe('the log line of a direct message', () => {
  it('has the moment of the outcome where that was told later, and so have its followers', () => {
    const taken: string[] = [];
    const { log, out } = openLog({ tap: { take: ({ line }) => void taken.push(line) } });
    log.tell('SendDirectMessage', delivered({ endedAt: Date.UTC(2026, 0, 2, 3, 4, 5, 678) }));
    log.tell('SendDirectMessage', delivered());
    expect(out.lines[0]).toMatchObject({ timestamp: '2026-01-02T03:04:05.678Z' });
    expect(out.lines[1]).not.toMatchObject({ timestamp: '2026-01-02T03:04:05.678Z' });
    expect(taken.map((line) => JSON.parse(line) as unknown)).toEqual(out.lines);
  });

  it('has the field names of CloudWatch, and after them what AWS lacks', () => {
    const { log, out } = openLog();
    log.tell('SendDirectMessage', delivered());
    expect(out.text.endsWith('}\n')).toBe(true);
    expect(out.lines).toEqual([
      {
        logLevel: 'INFO',
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        accountId: '000000000000',
        traceId: TRACE_ID,
        status: 'Success',
        eventType: 'SendDirectMessage',
        protocol: 'HTTP',
        principalId: 'backend',
        topicName: 'locks/17/open',
        sourceIp: '192.0.2.7',
        sourcePort: 40000,
        reason: 'DELIVERED',
        targetClientId: 'lock-17',
        durationMs: 12.346,
        qos: 1,
        payloadBytes: 14,
        policy: 'BackendCommands',
        statement: 'SendCommands',
      },
    ]);
  });

  it('names on a denial what was asked and why it was denied', () => {
    const { log, out } = openLog();
    log.tell('SendDirectMessage', delivered({ reason: 'SENDER_NOT_AUTHORIZED', decision: denied }));
    expect(out.lines[0]).toMatchObject({
      logLevel: 'ERROR',
      status: 'Failure',
      reason: 'SENDER_NOT_AUTHORIZED',
      action: 'iot:SendDirectMessage',
      resource: denied.resource,
      cause: 'implicitDeny',
    });
  });

  it.each(Object.keys(REASONS) as Reason[])('takes status and level of %s from the table', (reason) => {
    const { log, out } = openLog();
    log.tell('SendDirectMessage', delivered({ reason }));
    const { status } = REASONS[reason];
    expect(out.lines[0]).toMatchObject({ reason, status, logLevel: status === 'Success' ? 'INFO' : 'ERROR' });
  });

  it('names the credential where no principal stands for the sender', () => {
    const { log, out } = openLog();
    const decision: Decision = { ...denied, cause: 'noPrincipal' };
    delete (decision as { principalId?: string }).principalId;
    log.tell('SendDirectMessage', delivered({ reason: 'SENDER_NOT_AUTHORIZED', sender: backend, decision }));
    expect(out.lines[0]).toMatchObject({ principalId: 'AKIAEXAMPLE' });
  });

  it('appends to the details what went wrong while the decision was made', () => {
    const { log, out } = openLog();
    log.tell(
      'SendDirectMessage',
      delivered({ details: 'first', decision: { ...denied, cause: 'error', errors: ['second', 'third'] } }),
    );
    expect(out.lines[0]).toMatchObject({ details: 'first; second; third' });
  });

  it('cuts long details off: they may be in the words of a stranger', () => {
    const { log, out } = openLog();
    const details = 'x'.repeat(20_000);
    log.tell('SendDirectMessage', delivered({ details, reason: 'INVALID_PARAMETER' }));
    log.tell('HttpRequest', { traceId: TRACE_ID, identity: backend, reason: 'INVALID_CREDENTIALS', details });
    log.tell('Connect', { identity: device, details });
    log.tell('Disconnect', { identity: device, disconnectReason: 'normal', details });
    expect(out.lines.map((line) => line['details'])).toEqual(Array(4).fill(`${'x'.repeat(1023)}…`));
  });
});

describe('the log lines of clients', () => {
  it('tell admissions from refusals', () => {
    const { log, out } = openLog();
    log.tell('Connect', { identity: device });
    log.tell('Connect', { identity: device, reason: 'CONNECT_NOT_AUTHORIZED' });
    expect(out.lines).toMatchObject([
      { eventType: 'Connect', status: 'Success', clientId: 'lock-17', protocol: 'MQTT', sourcePort: 50123 },
      { eventType: 'Connect', status: 'Failure', reason: 'CONNECT_NOT_AUTHORIZED', logLevel: 'ERROR' },
    ]);
  });

  it("carry AWS's disconnect reason and keep the broker's own", () => {
    const { log, out } = openLog();
    log.tell('Disconnect', { identity: device, disconnectReason: 'keepalive_timeout' });
    expect(out.lines[0]).toMatchObject({
      eventType: 'Disconnect',
      disconnectReason: 'MQTT_KEEP_ALIVE_TIMEOUT',
      details: 'keepalive_timeout',
    });
  });

  it('name topic and trace of subscriptions and publishes', () => {
    const { log, out } = openLog();
    log.tell('Subscribe', { identity: device, topicName: 'a/#', traceId: TRACE_ID });
    log.tell('Publish-In', { identity: device, topicName: 'a/b', reason: 'PUBLISH_NOT_AUTHORIZED', qos: 1 });
    expect(out.lines).toMatchObject([
      { eventType: 'Subscribe', topicName: 'a/#', traceId: TRACE_ID },
      { eventType: 'Publish-In', topicName: 'a/b', qos: 1, traceId: expect.stringMatching(/^[0-9a-f]{32}$/) },
    ]);
  });

  it('name the operation and its caller', () => {
    const { log, out } = openLog();
    log.tell('GetConnection', { traceId: TRACE_ID, identity: backend, clientId: 'lock-17' });
    expect(out.lines[0]).toMatchObject({ eventType: 'GetConnection', clientId: 'lock-17', protocol: 'HTTP' });
  });
});

describe('the log lines of the service', () => {
  it('say what it does, in one line each', () => {
    const { log, out } = openLog();
    log.lifecycle('ready', { ports: { http: 8080 } });
    log.fault('policy watch failed', new Error('no such folder'));
    log.tell('PolicyReload', { outcome: 'refused', details: 'a.json: statement 2: unknown action', version: 'abc' });
    log.tell('BrokerConnection', { state: 'pluginMissing', broker: 'mqtt://emqx:1883', clientId: 'tightbeam-1' });
    expect(out.lines).toMatchObject([
      { msg: 'ready', ports: { http: 8080 }, logLevel: 'INFO' },
      { msg: 'policy watch failed', details: expect.stringContaining('no such folder'), logLevel: 'ERROR' },
      { eventType: 'PolicyReload', status: 'Failure', policyVersion: 'abc' },
      { eventType: 'BrokerConnection', status: 'Failure', reason: 'DELIVERY_PLUGIN_MISSING' },
    ]);
  });
});

describe('diagnostics', () => {
  it('are lines of their level with their fields', () => {
    const { log, out } = openLog({ level: 'WARN' });
    log.diagnostics('info', 'left out');
    log.diagnostics('warn', 'The provider does not answer.', { address: '127.0.0.1:9000' });
    log.diagnostics('error', 'A hook call failed.');
    expect(out.lines).toMatchObject([
      { logLevel: 'WARN', msg: 'The provider does not answer.', address: '127.0.0.1:9000' },
      { logLevel: 'ERROR', msg: 'A hook call failed.' },
    ]);
  });
});

describe('the levels', () => {
  it('leave out successes at ERROR, but no step in the life of the process', () => {
    const { log, out } = openLog({ level: 'ERROR' });
    log.tell('SendDirectMessage', delivered());
    log.lifecycle('ready');
    log.tell('SendDirectMessage', delivered({ reason: 'PUBACK_TIMEOUT' }));
    expect(out.lines.map((line) => line['msg'] ?? line['reason'])).toEqual(['ready', 'PUBACK_TIMEOUT']);
  });

  it('of an event type come before the general one', () => {
    const { log, out } = openLog({ level: 'ERROR', eventLevels: { Connect: 'INFO', SendDirectMessage: 'DISABLED' } });
    log.tell('Connect', { identity: device });
    log.tell('SendDirectMessage', delivered({ reason: 'PUBACK_TIMEOUT' }));
    expect(out.lines.map((line) => line['eventType'])).toEqual(['Connect']);
  });

  it('are there for requests that are none of an operation, too', () => {
    const { log, out } = openLog({ eventLevels: { HttpRequest: 'DISABLED' } });
    log.tell('HttpRequest', { traceId: TRACE_ID, identity: backend, reason: 'UNKNOWN_OPERATION' });
    log.tell('GetConnection', { traceId: TRACE_ID, identity: backend, reason: 'INVALID_CREDENTIALS' });
    expect(out.lines.map((line) => line['eventType'])).toEqual(['GetConnection']);
  });
});

describe('sampling', () => {
  const traceIds = Array.from({ length: 1000 }, (_, i) => (i * 4294967).toString(16).padStart(32, '0'));

  it('keeps the share of successes asked for', () => {
    const { log, out } = openLog({ successRatio: 0.1 });
    for (const traceId of traceIds) log.tell('SendDirectMessage', delivered({ traceId }));
    expect(out.lines.length).toBeGreaterThanOrEqual(99);
    expect(out.lines.length).toBeLessThanOrEqual(101);
  });

  it('keeps the lines of one trace together', () => {
    const { log, out } = openLog({ successRatio: 0.5 });
    for (const traceId of traceIds) {
      log.tell('SendDirectMessage', delivered({ traceId }));
      log.tell('Receive', { traceId, identity: device });
    }
    const kept = (type: string) => out.lines.filter((line) => line['eventType'] === type).map((l) => l['traceId']);
    expect(kept('Receive')).toEqual(kept('SendDirectMessage'));
  });

  it('never leaves out a failure, nor an event of the service', () => {
    const { log, out } = openLog({ successRatio: 0 });
    log.tell('SendDirectMessage', delivered());
    log.tell('SendDirectMessage', delivered({ reason: 'INTERNAL_ERROR' }));
    log.tell('PolicyReload', { outcome: 'loaded' });
    expect(out.lines.map((line) => line['eventType'])).toEqual(['SendDirectMessage', 'PolicyReload']);
  });
});

describe('somebody who follows', () => {
  it('gets the lines as the log has them, and those that it leaves out', () => {
    const taken: string[] = [];
    const { log, out } = openLog({ successRatio: 0, tap: { take: ({ line }) => void taken.push(line) } });
    log.tell('SendDirectMessage', delivered());
    log.tell('SendDirectMessage', delivered({ reason: 'PUBACK_TIMEOUT' }));
    expect(taken.map((line) => (JSON.parse(line) as EventRecord).reason)).toEqual(['DELIVERED', 'PUBACK_TIMEOUT']);
    expect(out.text).toBe(taken[1]);
  });
});
