import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Agent } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Reason } from '../../src/reasons.js';
import {
  call,
  exchange,
  expectError,
  expectReportedOnce,
  HEAD,
  MESSAGE,
  openSocket,
  readAnswer,
  sign,
  startServer,
  type TestServer,
} from './support.js';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});
afterEach(() => server.dataPlane.stop());

/** Deliveries begin, and end only when the test says so. */
function holdDelivery(): { readonly begun: Promise<void>; readonly finish: () => void } {
  let begin = (): void => undefined;
  let finish = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const finished = new Promise<Reason>((resolve) => {
    finish = () => {
      resolve('DELIVERED');
    };
  });
  server.delivery.answer = () => {
    begin();
    return finished;
  };
  return { begun, finish };
}

/** The bytes of a signed request with a body. */
async function signedBytes(): Promise<string> {
  const { headers = {} } = await sign(server.port, MESSAGE);
  const lines = Object.entries({ ...headers, 'content-length': '4' }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${MESSAGE.path}?topic=cmd&confirmation=true HTTP/1.1\r\n${lines.join('')}\r\nopen`;
}

describe('slow and vanishing callers', () => {
  test.each([
    ['a head', 'POST /connections/lock-17/messages?topic=cmd HT'],
    ['a body', `${HEAD}Content-Length: 10\r\n\r\nopen`],
    ['chunks', `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\nop`],
  ])('%s that stalls is answered in bounded time', async (_what, bytes) => {
    const impatient = await startServer({ timeouts: { headersMs: 50, requestMs: 50, checkMs: 5 } });
    const socket = await openSocket(impatient.port);
    socket.write(bytes);
    const answer = await readAnswer(socket);
    expectError(answer, 'INVALID_REQUEST');
    const { traceId } = answer.body;
    expect(impatient.events.told).toEqual([expect.objectContaining({ reason: 'INVALID_REQUEST', traceId })]);
    await impatient.dataPlane.stop();
  });

  test('a caller who hangs up while sending is reported once, and nothing is delivered', async () => {
    const socket = await openSocket(server.port);
    socket.end(`${HEAD}Content-Length: 10\r\n\r\nopen`);
    await server.events.next('HttpRequest');
    expect(server.delivery.messages).toEqual([]);
    socket.destroy();
    await expectReportedOnce(server, 'INVALID_REQUEST');
  });

  test('garbage behind a request that is being answered does not become its answer', async () => {
    const { begun, finish } = holdDelivery();
    const socket = await openSocket(server.port);
    socket.write(await signedBytes());
    await begun;
    socket.write('garbage\r\n\r\n');
    expect(await server.events.next('HttpRequest')).toMatchObject({ reason: 'INVALID_REQUEST' });
    socket.write('more of it\r\n\r\n');
    finish();
    const answer = await readAnswer(socket);
    expect(answer.status).toBe(200);
    expect(answer.headers['connection']).toBe('close');
  });
});

describe('draining', () => {
  test('requests in flight finish, idle connections close, new ones are refused', async () => {
    const agent = new Agent({ keepAlive: true });
    await exchange(server.port, await sign(server.port, MESSAGE), agent);
    const { begun, finish } = holdDelivery();
    const inFlight = call(server.port, MESSAGE);
    await begun;
    const stopped = server.dataPlane.stop();
    await expect(openSocket(server.port)).rejects.toThrow(/ECONNREFUSED/);
    finish();
    const answer = await inFlight;
    expect(answer.status).toBe(200);
    expect(answer.headers['connection']).toBe('close');
    await stopped;
    agent.destroy();
  });

  test('a request that comes behind one in flight is told to go elsewhere', async () => {
    const { begun, finish } = holdDelivery();
    const bytes = await signedBytes();
    const socket = await openSocket(server.port);
    socket.write(bytes);
    await begun;
    const stopped = server.dataPlane.stop();
    socket.write(bytes);
    await server.events.next('SendDirectMessage', ({ reason }) => reason === 'SHUTTING_DOWN');
    finish();
    const all = await text(socket);
    expect(all.match(/HTTP\/1\.1 \d+/g)?.[0]).toBe('HTTP/1.1 200');
    await stopped;
  });
});

test('keep-alive: a hundred requests on one connection', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let connections = 0;
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (...parameters) => {
    connections += 1;
    return create(...parameters);
  };
  const signed = await sign(server.port, MESSAGE);
  for (let index = 0; index < 100; index += 1) expect((await exchange(server.port, signed, agent)).status).toBe(200);
  expect(connections).toBe(1);
  agent.destroy();
});
