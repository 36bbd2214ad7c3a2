import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EmqxOperations } from '../../../src/brokers/emqx/operations.js';
import { EmqxRest } from '../../../src/brokers/emqx/rest.js';

interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly response: unknown;
}

/** Answers of a real EMQX 5.8.9, by method and path; where one comes twice, in turn. */
const RECORDED = JSON.parse(readFileSync('test/fixtures/emqx-5.8.9-rest.json', 'utf8')) as readonly Recorded[];

let server: Server;
let answers: Recorded[];
let asked: string[];
let operations: EmqxOperations;
beforeEach(async () => {
  answers = [...RECORDED];
  asked = [];
  server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/page=(\d+)&limit=(\d+)/, 'limit=$2&page=$1');
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
    if (request.headers.authorization !== `Basic ${Buffer.from('key:secret').toString('base64')}`) {
      response.writeHead(401).end('{"code":"BAD_API_KEY_OR_SECRET","message":"Check api_key/api_secret"}');
      return;
    }
    const index = answers.findIndex((one) => one.method === request.method && one.path === path);
    const [answer] = index < 0 ? [] : answers.splice(index, 1);
    if (answer === undefined) response.writeHead(500).end('{}');
    else response.writeHead(answer.status).end(answer.response === '' ? '' : JSON.stringify(answer.response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  operations = create();
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

function create(options: { readonly secret?: string; readonly timeoutMs?: number; readonly url?: string } = {}) {
  const { port } = server.address() as AddressInfo;
  return new EmqxOperations(
    new EmqxRest({ url: `http://127.0.0.1:${port}/`, key: 'key', secret: 'secret', ...options }),
  );
}

/** Puts an answer in the place of a recorded one. */
function answer(path: string, response: unknown, status = 200, method = 'GET'): void {
  answers.unshift({ method, path: `/api/v5${path}`, status, response });
}

const connection = (changes: object = {}) => ({
  clientId: 'thermostat-1',
  connected: true,
  cleanSession: true,
  ...changes,
});
const HOW = { cleanSession: false, preventWill: false };

describe('connections', () => {
  test('one that is up', async () => {
    expect(await operations.getConnection('thermostat-1')).toEqual({
      clientId: 'thermostat-1',
      connected: true,
      cleanSession: false,
      keepAliveSeconds: 60,
      sessionExpirySeconds: 3600,
      connectedSince: Date.parse('2026-11-21T03:19:34.699Z'),
      protocolVersion: 5,
      username: 'alice',
      inFlight: 0,
      waiting: 0,
      socket: { sourceIp: '127.0.0.1', sourcePort: 50554 },
    });
  });

  test('one that is down, with a session, and an ID that has to be encoded', async () => {
    expect(await operations.getConnection('dev/with slash')).toEqual({
      clientId: 'dev/with slash',
      connected: false,
      cleanSession: false,
      keepAliveSeconds: 60,
      sessionExpirySeconds: 7200,
      disconnectedSince: Date.parse('2026-11-21T03:19:34.780Z'),
      protocolVersion: 4,
      inFlight: 0,
      waiting: 0,
    });
  });

  test('none', async () => {
    expect(await operations.getConnection('nobody')).toBeUndefined();
    expect(await operations.listSubscriptions('nobody')).toBeUndefined();
  });

  test('subscriptions, shared ones as the client wrote them', async () => {
    expect(await operations.listSubscriptions('thermostat-1')).toEqual([
      { topicFilter: 'cmd/thermostat-1/#', qos: 1 },
      { topicFilter: '$share/g/fleet/+', qos: 1 },
    ]);
  });

  test('deleting one, and again', async () => {
    expect(await operations.deleteConnection(connection(), HOW)).toBe(true);
    expect(await operations.deleteConnection(connection(), HOW)).toBe(false);
  });

  test('what EMQX cannot do is not half done', async () => {
    const persistent = connection({ cleanSession: false });
    await expect(operations.deleteConnection(persistent, HOW)).rejects.toMatchObject({ reason: 'NOT_SUPPORTED' });
    const quiet = operations.deleteConnection(connection(), { ...HOW, preventWill: true });
    await expect(quiet).rejects.toMatchObject({ reason: 'NOT_SUPPORTED' });
    expect(asked).toEqual([]);
    expect(await operations.deleteConnection(persistent, { ...HOW, cleanSession: true })).toBe(true);
  });

  test.each(['.', '..'])('a client ID of %s cannot lead to another resource', async (clientId) => {
    await expect(operations.listSubscriptions(clientId)).rejects.toMatchObject({ reason: 'NOT_SUPPORTED' });
    await expect(operations.getRetainedMessage(clientId)).rejects.toMatchObject({ reason: 'NOT_SUPPORTED' });
    expect(asked).toEqual([]);
  });
});

describe('retained messages', () => {
  test('one', async () => {
    expect(await operations.getRetainedMessage('state/thermostat-1')).toEqual({
      topic: 'state/thermostat-1',
      qos: 1,
      payload: Buffer.from('{"t":21}'),
      payloadBytes: 8,
      lastModified: Date.parse('2026-11-21T03:19:34.794Z'),
    });
    expect(await operations.getRetainedMessage('state/none')).toBeUndefined();
  });

  test('a page, without the topics of the broker itself', async () => {
    expect(await operations.listRetainedMessages(10)).toEqual({
      messages: [
        { topic: 'state/thermostat-1', qos: 1, lastModified: Date.parse('2026-11-21T03:19:34.794Z') },
        { topic: 'state/x', qos: 0, lastModified: Date.parse('2026-11-21T03:19:34.798Z') },
      ],
    });
  });

  test('the next page is that of EMQX, and as large as the first', async () => {
    answer('/mqtt/retainer/messages?limit=2&page=1', { data: [], meta: { hasnext: true } });
    const { next } = await operations.listRetainedMessages(2);
    expect(next).toBe('2:2');
    answer('/mqtt/retainer/messages?limit=2&page=2', { data: [], meta: { hasnext: false } });
    expect(await operations.listRetainedMessages(100, next)).toEqual({ messages: [] });
  });

  test.each(['x', '0:1', '1:0', '1', '1:1:1', '1:1001'])('%s was never the start of a page', async (from) => {
    await expect(operations.listRetainedMessages(2, from)).rejects.toMatchObject({ reason: 'INVALID_PARAMETER' });
    expect(asked).toEqual([]);
  });

  test('a retainer that keeps its messages elsewhere', async () => {
    answer(
      '/mqtt/retainer/message/a',
      { code: 'BAD_REQUEST', message: 'This API only support built in database' },
      400,
    );
    await expect(operations.getRetainedMessage('a')).rejects.toMatchObject({
      reason: 'NOT_SUPPORTED',
      message: 'EMQX says BAD_REQUEST: This API only support built in database',
    });
  });
});

describe('an EMQX that does not answer as it should', () => {
  test('another API key', async () => {
    await expect(create({ secret: 'other' }).getConnection('a')).rejects.toMatchObject({
      reason: 'BROKER_UNAVAILABLE',
      message: expect.stringContaining(
        '/api/v5/clients/a: 401 BAD_API_KEY_OR_SECRET: Check api_key/api_secret',
      ) as unknown,
    });
  });

  test('nobody there', async () => {
    await expect(create({ url: 'http://127.0.0.1:1' }).getConnection('a')).rejects.toMatchObject({
      reason: 'BROKER_UNAVAILABLE',
    });
  });

  test('an answer of something else', async () => {
    answer('/clients/a', { connected: 'perhaps' });
    await expect(operations.getConnection('a')).rejects.toThrow(/no supported EMQX gives/);
    answer('/clients/a', {
      connected: true,
      clientid: 'a',
      keepalive: 1,
      expiry_interval: 0,
      connected_at: 'soon',
      ip_address: '',
      port: 1,
    });
    await expect(operations.getConnection('a')).rejects.toThrow(/not a time/);
  });

  test('no answer in time', async () => {
    server.removeAllListeners('request');
    const asking = create({ timeoutMs: 20 }).getConnection('a');
    await expect(asking).rejects.toMatchObject({ reason: 'BROKER_UNAVAILABLE' });
  });
});
