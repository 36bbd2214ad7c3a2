import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { DEFAULT_LIMITS } from '../../src/direct/limits.js';
import {
  call,
  exchange,
  expectError,
  expectReportedOnce,
  HEAD,
  MESSAGE,
  openSocket,
  presign,
  readAnswer,
  sign,
  startServer,
  type TestServer,
} from './support.js';

let server: TestServer;
beforeEach(async () => {
  server = await startServer({ timeouts: { headersMs: 5000, requestMs: 5000 } });
});
afterEach(() => server.dataPlane.stop());

describe('credentials', () => {
  test('without any there is no answer but 401', async () => {
    const answer = await exchange(server.port, MESSAGE);
    expectError(answer, 'MISSING_CREDENTIALS');
    expect(Object.keys(answer.body)).toEqual(['message', 'traceId']);
    expect(server.events.told[0]).toMatchObject({
      eventType: 'SendDirectMessage',
      identity: { sourceIp: '127.0.0.1' },
    });
    await expectReportedOnce(server, 'MISSING_CREDENTIALS', answer.body['traceId']);
  });

  test('a wrong secret, an unknown key, another region and a changed body look the same to the caller', async () => {
    const stranger = { accessKeyId: 'AKIDOTHER', secretAccessKey: 'x' };
    const signed = await sign(server.port, MESSAGE);
    const answers = [
      await call(server.port, MESSAGE, { credentials: { ...stranger, accessKeyId: 'AKIAIOSFODNN7EXAMPLE' } }),
      await call(server.port, MESSAGE, { credentials: stranger }),
      await call(server.port, MESSAGE, { region: 'eu-west-1' }),
      await exchange(server.port, { ...signed, body: 'shut' }),
      await exchange(server.port, { ...signed, query: { ...MESSAGE.query, topic: 'other' } }),
      await exchange(server.port, {
        ...signed,
        headers: { ...signed.headers, 'x-amz-mqtt5-correlation-data': 'Zm9v' },
      }),
    ];
    for (const answer of answers) {
      expectError(answer, 'INVALID_CREDENTIALS');
      expect(Object.keys(answer.body)).toEqual(['message', 'traceId']);
    }
    const details = server.events.told.map((event) => event.details);
    expect(details[0]).toMatch(/is not that of access key AKIAIOSFODNN7EXAMPLE/);
    expect(details[1]).toMatch(/No access key AKIDOTHER/);
    expect(details[2]).toMatch(/region eu-west-1/);
    expect(details[3]).toMatch(/SHA-256 of the body/);
    expect(details[4]).toMatch(/is not that of access key/);
    expect(details[5]).toMatch(/x-amz-mqtt5-correlation-data is not signed/);
    expect(server.delivery.messages).toEqual([]);
  });

  test('an old signature has expired', async () => {
    const signingDate = new Date(Date.now() - 301_000);
    expectError(await call(server.port, MESSAGE, { signingDate }), 'EXPIRED_SIGNATURE');
    await expectReportedOnce(server, 'EXPIRED_SIGNATURE');
  });

  test('a presigned URL sends until it expires', async () => {
    const presigned = await presign(server.port, MESSAGE, 60);
    expect((await exchange(server.port, presigned)).status).toBe(200);
    server.now = () => Date.now() + 61_000;
    expectError(await exchange(server.port, presigned), 'EXPIRED_SIGNATURE');
  });
});

describe('paths and methods', () => {
  test.each([
    ['/'],
    ['/connections'],
    ['/connections/lock-17/messages/'],
    ['//connections/lock-17/messages'],
    ['/connections/a/b/messages'],
    ['/Connections/lock-17/messages'],
    ['/things/lock-17/shadow'],
    ['/%zz'],
  ])('%s is unknown', async (path) => {
    const answer = await call(server.port, { ...MESSAGE, path });
    expectError(answer, 'UNKNOWN_OPERATION');
    await expectReportedOnce(server, 'UNKNOWN_OPERATION', answer.body['traceId']);
  });

  test('shadows and jobs say that they are out of scope', async () => {
    const answer = await call(server.port, { path: '/things/lock-17/shadow', method: 'GET' });
    expect(answer.body['details']).toMatch(/out of scope/);
  });

  test.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'HEAD'])('%s is not allowed', async (method) => {
    const answer = await exchange(server.port, { ...MESSAGE, method, body: '' });
    expect(answer.headers['allow']).toBe('POST');
    expect(answer.headers['x-amzn-errortype']).toBe('MethodNotAllowedException');
    if (method === 'HEAD') expect(answer.body).toEqual({});
    else expectError(answer, 'METHOD_NOT_ALLOWED');
    await expectReportedOnce(server, 'METHOD_NOT_ALLOWED');
  });

  test('broken percent-encoding of the query', async () => {
    const answer = await exchange(server.port, { path: `${MESSAGE.path}?topic=%zz` });
    expectError(answer, 'INVALID_PARAMETER');
    await expectReportedOnce(server, 'INVALID_PARAMETER');
  });

  test('a path that is not ASCII', async () => {
    const socket = await openSocket(server.port);
    socket.write(Buffer.from(`${HEAD.replace('lock-17', 'löck')}Content-Length: 0\r\nConnection: close\r\n\r\n`));
    expectError(await readAnswer(socket), 'INVALID_REQUEST');
    await expectReportedOnce(server, 'INVALID_REQUEST');
  });
});

describe('size', () => {
  test('131,072 bytes work', async () => {
    const body = Buffer.alloc(DEFAULT_LIMITS.payloadBytes, 'x');
    expect((await call(server.port, { ...MESSAGE, body })).status).toBe(200);
    expect(server.delivery.messages[0]?.payload).toEqual(body);
  });

  test('131,073 bytes are refused by their Content-Length, before any of them is sent', async () => {
    const socket = await openSocket(server.port);
    socket.write(`${HEAD}Content-Length: 131073\r\n\r\n`);
    expectError(await readAnswer(socket), 'PAYLOAD_TOO_LARGE');
    await expectReportedOnce(server, 'PAYLOAD_TOO_LARGE');
  });

  test('131,073 bytes of chunks are cut at the limit, and the answer survives what is still under way', async () => {
    const socket = await openSocket(server.port);
    const chunk = Buffer.alloc(131_073, 'x');
    socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk.byteLength.toString(16)}\r\n`);
    socket.write(chunk);
    socket.write(chunk);
    expectError(await readAnswer(socket), 'PAYLOAD_TOO_LARGE');
    await expectReportedOnce(server, 'PAYLOAD_TOO_LARGE');
  });

  test('whoever waits for 100 Continue is not asked for a body that is too large', async () => {
    const socket = await openSocket(server.port);
    socket.write(`${HEAD}Content-Length: 131073\r\nExpect: 100-continue\r\n\r\n`);
    const answer = await readAnswer(socket);
    expectError(answer, 'PAYLOAD_TOO_LARGE');
  });

  test('whoever waits for 100 Continue with an acceptable body is told to go on', async () => {
    const { headers = {} } = await sign(server.port, MESSAGE);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = await openSocket(server.port);
    socket.write(
      `POST ${MESSAGE.path}?topic=cmd&confirmation=true HTTP/1.1\r\n${lines.join('')}` +
        'Content-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n',
    );
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('open');
    expect((await readAnswer(socket)).status).toBe(200);
  });

  test('an expectation that nobody knows', async () => {
    const socket = await openSocket(server.port);
    socket.write(`${HEAD}Content-Length: 0\r\nExpect: the unexpected\r\n\r\n`);
    expectError(await readAnswer(socket), 'INVALID_REQUEST');
    await expectReportedOnce(server, 'INVALID_REQUEST');
  });
});

describe('what is not quite HTTP', () => {
  test.each([
    ['no HTTP at all', 'hello\r\n\r\n'],
    ['an unknown method', 'FROB / HTTP/1.1\r\n\r\n'],
    ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['a broken header', 'GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n'],
    ['two lengths', `${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`],
    ['length and chunks', `${HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a length that is no number', `${HEAD}Content-Length: x\r\n\r\n`],
    ['a broken chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['a head over 16 KiB', `${HEAD}X: ${'x'.repeat(17_000)}\r\n\r\n`],
    ['a target that is no path', 'GET http://example.com HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  ])('%s', async (_what, bytes) => {
    const socket = await openSocket(server.port);
    socket.write(bytes);
    const answer = await readAnswer(socket);
    expectError(answer, 'INVALID_REQUEST');
    await expectReportedOnce(server, 'INVALID_REQUEST', answer.body['traceId']);
  });

  test('CONNECT', async () => {
    const socket = await openSocket(server.port);
    socket.write('CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n');
    expectError(await readAnswer(socket), 'METHOD_NOT_ALLOWED');
    await expectReportedOnce(server, 'METHOD_NOT_ALLOWED');
  });
});

test('a data plane without a way to authenticate callers does not start', async () => {
  await expect(startServer({ authenticators: [] })).rejects.toThrow(/authenticate/);
});
