import { Agent } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { call, exchange, expectError, sign, startServer, type Sent, type TestServer } from './support.js';
import { REASONS, type Reason } from '../../src/reasons.js';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});
afterEach(() => server.dataPlane.stop());

const message = (changes: Partial<Sent> = {}, path = '/connections/lock-17/messages'): Sent => ({
  path,
  query: { topic: 'cmd/open', confirmation: 'true' },
  body: 'open',
  ...changes,
});
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');

describe('what reaches the device', () => {
  test('a confirmed message is delivered with its payload and answered with the text of the table', async () => {
    const answer = await call(server.port, message());
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      message: REASONS.DELIVERED.message,
      traceId: answer.headers['x-amzn-requestid'],
      written: 'yes',
    });
    expect(server.delivery.messages).toEqual([
      {
        targetClientId: 'lock-17',
        topic: 'cmd/open',
        payload: Buffer.from('open'),
        confirmation: true,
        timeoutMs: 5000,
        properties: {},
        trace: { reachesDevice: false, traceparent: expect.stringContaining(String(answer.body['traceId'])) },
      },
    ]);
  });

  test('without confirmation the message is dispatched, as AWS does by default', async () => {
    const answer = await call(server.port, message({ query: { topic: 'cmd/open' } }));
    expect(answer.status).toBe(200);
    expect(answer.body['message']).toBe(REASONS.DISPATCHED.message);
    expect(server.delivery.messages[0]).toMatchObject({ confirmation: false });
  });

  test('every MQTT 5 property arrives decoded', async () => {
    const answer = await call(
      server.port,
      message({
        query: {
          topic: 'cmd',
          confirmation: 'true',
          timeout: '15',
          contentType: 'text/plain',
          responseTopic: '$aws/r',
        },
        headers: {
          'x-amz-mqtt5-user-properties': base64([{ a: '1' }, { a: '2' }]),
          'x-amz-mqtt5-payload-format-indicator': 'UTF8_DATA',
          'x-amz-mqtt5-correlation-data': Buffer.from([0, 255]).toString('base64'),
        },
      }),
    );
    expect(answer.status).toBe(200);
    expect(server.delivery.messages[0]).toMatchObject({
      timeoutMs: 15_000,
      properties: {
        contentType: 'text/plain',
        responseTopic: '$aws/r',
        payloadFormatIndicator: true,
        correlationData: Buffer.from([0, 255]),
        userProperties: [
          ['a', '1'],
          ['a', '2'],
        ],
      },
    });
  });

  test.each(['application/json', 'text/plain; charset=utf-8', 'not a type', ''])(
    'the body is a payload whatever its content type is (%j)',
    async (type) => {
      const answer = await call(server.port, message({ body: '{"broken', headers: { 'content-type': type } }));
      expect(answer.status).toBe(200);
      expect(server.delivery.messages[0]?.payload).toEqual(Buffer.from('{"broken'));
    },
  );

  test('an empty payload is a payload', async () => {
    expect((await call(server.port, message({ body: '' }))).status).toBe(200);
    expect(server.delivery.messages[0]?.payload.byteLength).toBe(0);
  });

  test('the answer, the log and the trace of the caller share one trace ID', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const answer = await call(server.port, message({ headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } }));
    expect(answer.body['traceId']).toBe(traceId);
    expect(server.events.direct).toHaveLength(1);
    expect(server.events.direct[0]).toMatchObject({
      traceId,
      reason: 'DELIVERED',
      sender: { protocol: 'HTTP', accessKeyId: 'AKIAIOSFODNN7EXAMPLE', sourceIp: '127.0.0.1', secureTransport: false },
      message: { targetClientId: 'lock-17', topic: 'cmd/open', confirmation: true, payloadBytes: 4 },
      decision: { effect: 'allow' },
    });
  });
});

describe('client IDs', () => {
  test.each(['a/b', 'a+b', 'a#b', '100%', 'a%2Fb', '%', 'with space', 'Gerät-ü-設備-🔒', '.', '..', 'ä'.repeat(128)])(
    '%s is decoded exactly once',
    async (clientId) => {
      const path = `/connections/${encodeURIComponent(clientId).replaceAll('.', '%2E')}/messages`;
      expect((await call(server.port, message({}, path))).status).toBe(200);
      expect(server.delivery.messages[0]?.targetClientId).toBe(clientId);
    },
  );

  test.each([
    ['empty', ''],
    ['over 128 characters', 'x'.repeat(129)],
    ['starting with $', '$lock'],
    ['with U+0000', '%00'],
    ['with broken percent-encoding', '%zz'],
    ['with a percent sign at its end', 'a%'],
    ['with percent-encoding that is not UTF-8', '%ff'],
    ['as long as a head may be', 'x'.repeat(10_000)],
  ])('%s is refused', async (_what, segment) => {
    expectError(await call(server.port, message({}, `/connections/${segment}/messages`)), 'INVALID_CLIENT_ID');
    expect(server.delivery.messages).toHaveLength(0);
    expect(server.events.told).toHaveLength(1);
  });
});

describe('bad input is answered with its reason, and the rule that it breaks', () => {
  const properties = (value: string): Partial<Sent> => ({ headers: { 'x-amz-mqtt5-user-properties': value } });
  const query = (changes: Record<string, string | string[]>): Partial<Sent> => ({
    query: { topic: 'cmd', confirmation: 'true', ...changes },
  });
  const cases: [what: string, changes: Partial<Sent>, reason: Reason][] = [
    ['no topic', { query: { confirmation: 'true' } }, 'INVALID_TOPIC'],
    ['an empty topic', query({ topic: '' }), 'INVALID_TOPIC'],
    ['a topic with +', query({ topic: 'a/+' }), 'INVALID_TOPIC'],
    ['a topic with #', query({ topic: '#' }), 'INVALID_TOPIC'],
    ['a topic over 256 bytes', query({ topic: 'ä'.repeat(128) + 'x' }), 'INVALID_TOPIC'],
    ['a topic over 7 slashes', query({ topic: 'a/a/a/a/a/a/a/a/a' }), 'INVALID_TOPIC'],
    ['a topic with U+0000', query({ topic: 'a\0b' }), 'INVALID_TOPIC'],
    ['a topic that starts with $', query({ topic: '$SYS/x' }), 'RESERVED_TOPIC'],
    ['a topic given twice', query({ topic: ['a', 'b'] }), 'INVALID_PARAMETER'],
    ['confirmation that is no boolean', query({ confirmation: 'yes' }), 'INVALID_PARAMETER'],
    ['empty confirmation', query({ confirmation: '' }), 'INVALID_PARAMETER'],
    ['confirmation given twice', query({ confirmation: ['true', 'true'] }), 'INVALID_PARAMETER'],
    ...['0', '16', '1.5', '-1', 'abc', '', '1e1', ' 5', '9'.repeat(400)].map((timeout): (typeof cases)[number] => [
      `timeout ${timeout.slice(0, 9)}`,
      query({ timeout }),
      'INVALID_PARAMETER',
    ]),
    ['a response topic with a wildcard', query({ responseTopic: 'a/#' }), 'INVALID_PARAMETER'],
    ['an empty response topic', query({ responseTopic: '' }), 'INVALID_PARAMETER'],
    ['a content type with U+0000', query({ contentType: '\0' }), 'INVALID_PARAMETER'],
    ['user properties that are not base64', properties('not base64!'), 'INVALID_PARAMETER'],
    ['user properties that are not JSON', properties(Buffer.from('[{').toString('base64')), 'INVALID_PARAMETER'],
    [
      'user properties that are not UTF-8',
      properties(Buffer.from([34, 255, 34]).toString('base64')),
      'INVALID_PARAMETER',
    ],
    ['user properties that are no array', properties(base64({ a: '1' })), 'INVALID_PARAMETER'],
    ['a user property that is text', properties(base64(['a'])), 'INVALID_PARAMETER'],
    ['a user property that is null', properties(base64([null])), 'INVALID_PARAMETER'],
    ['a user property that is an array', properties(base64([['a']])), 'INVALID_PARAMETER'],
    ['a user property without a key', properties(base64([{}])), 'INVALID_PARAMETER'],
    ['a user property with two keys', properties(base64([{ a: '1', b: '2' }])), 'INVALID_PARAMETER'],
    ['a user property that is a number', properties(base64([{ a: 1 }])), 'INVALID_PARAMETER'],
    ['a user property with U+0000', properties(base64([{ a: '\0' }])), 'INVALID_PARAMETER'],
    ['a user property with an unpaired surrogate', properties(base64([{ '\ud800': '' }])), 'INVALID_PARAMETER'],
    ['a user property of a reserved name', properties(base64([{ 'dm-timeout-ms': '1' }])), 'INVALID_PARAMETER'],
    [
      'a bad payload format indicator',
      { headers: { 'x-amz-mqtt5-payload-format-indicator': '1' } },
      'INVALID_PARAMETER',
    ],
    ['correlation data that are not base64', { headers: { 'x-amz-mqtt5-correlation-data': '*' } }, 'INVALID_PARAMETER'],
  ];

  test.each(cases)('%s', async (_what, changes, reason) => {
    const answer = await call(server.port, message(changes));
    expectError(answer, reason);
    expect(answer.body['reason']).toBe(reason);
    expect(answer.body['details']).toMatch(/\.$/);
    expect(server.delivery.messages).toHaveLength(0);
    const reported = server.events.told;
    expect(reported).toEqual([expect.objectContaining({ reason, traceId: answer.body['traceId'] })]);
    expect((await call(server.port, message())).status).toBe(200);
  });

  test.each(['0', '16', '1.5', '-1', 'abc', ''])('timeout %j is ignored without confirmation', async (timeout) => {
    const answer = await call(server.port, message({ query: { topic: 'cmd', confirmation: 'false', timeout } }));
    expect(answer.status).toBe(200);
    expect(server.delivery.messages[0]).toMatchObject({ confirmation: false, timeoutMs: 5000 });
  });
});

describe('what the broker answers becomes status and exception', () => {
  const failures = (Object.keys(REASONS) as Reason[]).filter((reason) => 'mqtt' in REASONS[reason]);

  test.each(failures)('%s', async (reason) => {
    server.delivery.answer = () => Promise.resolve(reason);
    const answer = await call(server.port, message());
    if (REASONS[reason].status === 'Success') expect(answer.status).toBe(200);
    else expectError(answer, reason);
    expect(server.events.direct).toMatchObject([{ reason, message: { targetClientId: 'lock-17' } }]);
  });

  test('a delivery that breaks its promise is an internal error without a stack trace', async () => {
    server.delivery.answer = () => Promise.reject(new Error('boom'));
    const answer = await call(server.port, message());
    expectError(answer, 'INTERNAL_ERROR');
    expect(JSON.stringify(answer.body)).not.toContain('boom');
    expect(server.events.direct).toMatchObject([{ reason: 'INTERNAL_ERROR', details: 'Error: boom' }]);
  });
});

test('a sender who may not send learns nothing of whether the client exists', async () => {
  server.denied.add('client/lock-17');
  const answer = await call(server.port, message());
  expectError(answer, 'SENDER_NOT_AUTHORIZED');
  expect(server.delivery.messages).toHaveLength(0);
  expect(server.events.direct).toMatchObject([{ reason: 'SENDER_NOT_AUTHORIZED', decision: { effect: 'deny' } }]);
});

describe('a message that waits for its receiver', () => {
  const waiting = message({ query: { topic: 'cmd/open', waitForConnection: '60' } });
  beforeEach(() => {
    server.delivery.answer = () => Promise.resolve('CLIENT_NOT_CONNECTED');
    server.delivery.seen = () => new Promise(() => undefined);
  });
  const begun = async (): Promise<void> => {
    while (server.delivery.waits.length === 0) await new Promise(setImmediate);
  };

  test('is withdrawn at once when its caller hangs up, and logged as that', async () => {
    const agent = new Agent();
    const answer = exchange(server.port, await sign(server.port, waiting), agent).catch(() => undefined);
    await begun();
    agent.destroy();
    await answer;
    expect(await server.events.next('SendDirectMessage')).toMatchObject({ reason: 'CALLER_GONE', written: 'no' });
    expect(server.delivery.signals[0]?.aborted).toBe(true);
  });

  test('is withdrawn when the service drains', async () => {
    const answer = call(server.port, waiting);
    await begun();
    const stopped = server.dataPlane.stop();
    expect(await answer).toMatchObject({ status: 503, body: { reason: 'SHUTTING_DOWN', written: 'no' } });
    await stopped;
  });
});
