import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createLocalJWKSet } from 'jose';
import { once } from 'node:events';
import { connect } from 'node:net';
import { collectGarbage } from '../garbage.js';
import type { CallerAuthenticator } from '../../src/identity/caller.js';
import { JWT_ALGORITHMS, JwtAuthenticator } from '../../src/identity/jwt.js';
import { SigV4Authenticator } from '../../src/identity/sigv4/authenticator.js';
import type { BrokerOperations, Publisher } from '../../src/operations/broker.js';
import { runs } from '../long.js';
import { CREDENTIALS, REGION, startServer, type TestServer } from './support.js';

/**
 * Malformed requests on bare sockets: what comes back must be HTTP in the shape of AWS, and never a 5xx.
 */
const REQUESTS = runs(200, 10_000);
const BATCH = 50;
const TIMEOUTS = { headersMs: 100, requestMs: 100, checkMs: 10 };

const broker: BrokerOperations & Publisher = {
  publish: () => Promise.resolve(),
  getConnection: (clientId) => Promise.resolve({ clientId, connected: true, cleanSession: true }),
  deleteConnection: () => Promise.resolve(true),
  listSubscriptions: () => Promise.resolve([{ topicFilter: 'a', qos: 0 }]),
  getRetainedMessage: () => Promise.resolve(undefined),
  listRetainedMessages: () => Promise.resolve({ messages: [] }),
};
/** Lets in whoever shows no credentials, so that what lies behind the door is tried too. */
const anybody: CallerAuthenticator = {
  scheme: 'none',
  authenticate: ({ peer }) => Promise.resolve({ ok: true, identity: { ...peer, accessKeyId: 'fuzz' } }),
};

const word = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...[
        '',
        'true',
        'false',
        '0',
        '1',
        '5',
        '-1',
        '1e9',
        'null',
        '%',
        '%zz',
        '%2F',
        '%00',
        '%ff',
        '%252F',
        '$aws',
        '#',
        '+',
      ],
      ...['..', '.', '//', '__proto__', 'constructor', '[]', 'W10=', 'W3siYSI6IjEifV0=', 'UTF8_DATA', 'a'.repeat(5000)],
      ...[
        'AWS4-HMAC-SHA256',
        `AWS4-HMAC-SHA256 Credential=${CREDENTIALS.accessKeyId}/20150830/${REGION}/iotdata/aws4_request`,
      ],
      ...[
        'Bearer x',
        'Bearer eyJhbGciOiJub25lIn0.e30.',
        'Bearer',
        '20150830T123600Z',
        'chunked',
        'gzip',
        '100-continue',
        'close',
      ],
    ),
  },
);
const wireText = word.map((text) => text.replace(/[\r\n]/g, ''));
const method = fc.oneof(
  fc.constantFrom('GET', 'POST', 'DELETE', 'PUT', 'HEAD', 'OPTIONS', 'CONNECT', 'QUERY'),
  wireText,
);
const segment = fc.oneof(
  fc.constantFrom(
    'connections',
    'messages',
    'topics',
    'retainedMessage',
    'subscriptions',
    'things',
    'shadow',
    'lock-17',
  ),
  wireText,
);
const path = fc.oneof(
  fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join('/')}`),
  wireText.map((clientId) => `/connections/${clientId}/messages`),
  wireText.map((clientId) => `/connections/${clientId}/subscriptions`),
  wireText.map((clientId) => `/connections/${clientId}`),
  wireText.map((topic) => `/topics/${topic}`),
  wireText.map((topic) => `/retainedMessage/${topic}`),
);
const parameter = fc.constantFrom(
  ...[
    'topic',
    'confirmation',
    'timeout',
    'contentType',
    'responseTopic',
    'qos',
    'retain',
    'messageExpiry',
    'maxResults',
  ],
  ...[
    'nextToken',
    'includeSocketInformation',
    'cleanSession',
    'preventWillMessage',
    'X-Amz-Signature',
    'X-Amz-Algorithm',
  ],
  ...['X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-SignedHeaders', 'X-Amz-Security-Token'],
);
const query = fc
  .array(fc.tuple(fc.oneof(parameter, wireText), wireText), { maxLength: 6 })
  .map((pairs) => pairs.map(([name, value]) => `${name}=${value}`).join('&'));
const headerName = fc.oneof(
  fc.constantFrom(
    ...[
      'content-type',
      'content-length',
      'transfer-encoding',
      'expect',
      'host',
      'connection',
      'upgrade',
      'authorization',
    ],
    ...['x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token', 'x-amz-mqtt5-user-properties', 'traceparent'],
    ...['x-amz-mqtt5-payload-format-indicator', 'x-amz-mqtt5-correlation-data', 'content-encoding', 'accept-version'],
  ),
  wireText,
);
const request = fc
  .record({
    method,
    path,
    query,
    headers: fc.array(fc.tuple(headerName, wireText), { maxLength: 6 }),
    body: word,
    length: fc.constantFrom('right', 'none', 'short', 'long'),
    cut: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.double({ min: 0, max: 1, noNaN: true })),
  })
  .map(({ headers, body, length, cut, ...line }) => {
    const size = Buffer.byteLength(body) + { right: 0, none: 0, short: -1, long: 7 }[length];
    const lines = [
      `${line.method} ${line.path}?${line.query} HTTP/1.1`,
      'Connection: close',
      'Host: x',
      ...(length === 'none' ? [] : [`Content-Length: ${size}`]),
      ...headers.map(([name, value]) => `${name}: ${value}`),
    ];
    const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
    return bytes.subarray(0, Math.ceil(bytes.length * cut));
  });

/** Everything that comes back until the connection ends. */
async function exchange(port: number, bytes: Uint8Array): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => undefined);
  socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

/** The answers on a connection: interim ones have no body, the last one has all of it. */
function checkAnswer(all: string, sent: Uint8Array): void {
  // Nothing was sent, so nothing is owed.
  if (sent.byteLength === 0) return;
  const answer = all.replace(/^(?:HTTP\/1\.1 100 Continue\r\n\r\n)*/, '');
  const [head = '', body = ''] = answer.split('\r\n\r\n', 2);
  const [, status = ''] = /^HTTP\/1\.1 ([0-9]{3}) /.exec(head) ?? [];
  expect(['200', '400', '401', '403', '404', '405', '413']).toContain(status);
  const type = /^x-amzn-errortype: (\w+)\r?$/im.exec(head)?.[1];
  expect(type === undefined).toBe(status === '200');
  expect(head).toMatch(/^x-amzn-requestid: [0-9a-f]{32}\r?$/im);
  expect(head).toMatch(/^content-type: application\/json\r?$/im);
  // HEAD has no body (RFC 9110, section 9.3.2).
  if (body === '') expect(Buffer.from(sent).toString('latin1')).toMatch(/^HEAD /);
  else if (status !== '200') {
    const parsed = JSON.parse(body) as Record<string, unknown>;
    expect(Object.keys(parsed).filter((key) => !['message', 'reason', 'details', 'traceId'].includes(key))).toEqual([]);
    expect(parsed).toMatchObject({
      message: expect.stringMatching(/./),
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  }
}

/** Says what was sent and what came back, and how to send it again. */
function checkReadably(answer: string, sent: Uint8Array, seed: number): void {
  try {
    checkAnswer(answer, sent);
  } catch (error) {
    const texts = [Buffer.from(sent).toString('latin1'), answer].map((text) => JSON.stringify(text)).join('\n-> ');
    throw new Error(`TIGHTBEAM_FUZZ_SEED=${seed}\n${texts}`, { cause: error });
  }
}

function heap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

let server: TestServer;
afterEach(() => server.dataPlane.stop());

test(`${REQUESTS} malformed requests: always the shape of AWS, never a 5xx, no hang, nothing left behind`, async () => {
  const accessKeys = { secretsOf: () => [CREDENTIALS.secretAccessKey] };
  const noKeys = createLocalJWKSet({ keys: [] });
  const now = (): number => Date.now();
  server = await startServer({
    timeouts: TIMEOUTS,
    behind: { broker, publisher: broker },
    authenticators: [
      new SigV4Authenticator({ accessKeys, region: REGION, now }),
      new JwtAuthenticator({ issuer: 'i', audience: 'a', algorithms: JWT_ALGORITHMS, keys: noKeys, now }),
      anybody,
    ],
  });
  const seed = Number(process.env['TIGHTBEAM_FUZZ_SEED'] ?? Date.now() % 2 ** 31);
  const run = async (batches: number): Promise<void> => {
    for (let index = 0; index < batches; index += 1) {
      const batch = fc.sample(request, { numRuns: BATCH, seed: seed + index });
      const answers = await Promise.all(batch.map((bytes) => exchange(server.port, bytes)));
      for (const [at, bytes] of batch.entries()) checkReadably(answers[at] ?? '', bytes, seed);
      server.events.all.length = 0;
      server.delivery.messages.length = 0;
    }
  };
  await run(4);
  const before = heap();
  await run(Math.ceil(REQUESTS / BATCH));
  expect((heap() - before) / 1_048_576).toBeLessThan(8);
});
