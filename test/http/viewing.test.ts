import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { MOST_READERS } from '../../src/observing/recent.js';
import { PolicyAuthorizer } from '../../src/policy/deciding/engine.js';
import { ARN, policy, setOf } from '../policy/support/set.js';
import { call, CREDENTIALS, expectError, presign, queryText, sign, startServer, type TestServer } from './support.js';

let server: TestServer;
afterEach(() => server.dataPlane.stop());

/** A caller who may do this on these resources, until `mayNothing`. */
async function startFor(action: string, ...resources: string[]): Promise<{ mayNothing: () => void }> {
  const principals = {
    principals: { caller: { match: { accessKeyId: CREDENTIALS.accessKeyId }, policies: ['caller'] } },
  };
  const of = (own: string[]) =>
    setOf({ caller: policy({ Effect: 'Allow', Action: action, Resource: own }) }, principals);
  let set = of(resources);
  server = await startServer({ authorizer: new PolicyAuthorizer(() => set) });
  return {
    mayNothing: () => {
      set = of([`${ARN}client/nobody`]);
    },
  };
}

const PATH = '/tightbeam/v1/events';

function tell(clientId: string, traceId = clientId): void {
  server.recent.take({
    at: Date.now(),
    record: { traceId, status: 'Success', eventType: 'Connect', clientId },
    line: `${JSON.stringify({ traceId, clientId })}\n`,
  });
}

/** Begins to read; the answer has begun when this resolves. */
async function read(query: Record<string, string | string[]>) {
  const signed = await sign(server.port, { method: 'GET', path: PATH, query });
  const sent = httpRequest({
    host: '127.0.0.1',
    port: server.port,
    path: `${PATH}${queryText(query)}`,
    headers: signed.headers ?? {},
  }).end();
  sent.on('error', () => undefined);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.on('error', () => undefined);
  const lines = createInterface({ input: response })[Symbol.asyncIterator]();
  return { response, hangUp: () => sent.destroy(), line: async () => (await lines.next()).value as string | undefined };
}

describe('GET /tightbeam/v1/events', () => {
  it('tells who may see all of it what has been, then what happens', async () => {
    await startFor('tightbeam:ViewEvents', '*');
    tell('lock-1');
    tell('lock-2');
    const { response, line, hangUp } = await read({ last: '1' });
    expect(response.headers['content-type']).toBe('application/x-ndjson');
    expect(await line()).toContain('lock-2');
    tell('lock-3');
    expect(await line()).toContain('lock-3');
    expect(server.events.told).toMatchObject([{ eventType: 'ViewEvents', details: 'last=1' }]);
    hangUp();
  });

  it('tells who may see one client of that client alone', async () => {
    await startFor('tightbeam:ViewEvents', `${ARN}client/lock-1`);
    tell('lock-1');
    tell('lock-2');
    const query = { 'client-id': 'lock-1', since: '1h', follow: 'false' };
    const { line } = await read(query);
    expect(await line()).toContain('lock-1');
    expect(await line()).toBeUndefined();
    for (const wider of [{}, { 'client-id': 'lock-*' }, { 'client-id': '*' }, { 'client-id': ['lock-1', 'lock-2'] }]) {
      expectError(await call(server.port, { method: 'GET', path: PATH, query: wider }), 'OPERATION_NOT_AUTHORIZED');
    }
  });

  it('tells no more to whom policies have come to refuse it', async () => {
    const { mayNothing } = await startFor('tightbeam:ViewEvents', '*');
    const { line } = await read({});
    tell('lock-1');
    expect(await line()).toContain('lock-1');
    mayNothing();
    tell('lock-2');
    expect(await line()).toBeUndefined();
  });

  it('says what is wrong with a query', async () => {
    await startFor('tightbeam:ViewEvents', '*');
    const answer = await call(server.port, { method: 'GET', path: PATH, query: { colour: 'red' } });
    expectError(answer, 'INVALID_PARAMETER');
    expect(answer.body['details']).toBe('There is no parameter "colour".');
  });

  it('takes a presigned URL, whose own parameters are no filters', async () => {
    await startFor('tightbeam:ViewEvents', '*');
    tell('lock-1');
    const { query = {} } = await presign(
      server.port,
      { method: 'GET', path: PATH, query: { last: '1', follow: 'false' } },
      60,
    );
    const response = await fetch(`http://127.0.0.1:${server.port}${PATH}${queryText(query)}`);
    expect(await response.text()).toContain('lock-1');
  });

  it('refuses more readers than there are places, and ends those there are when the service stops', async () => {
    await startFor('tightbeam:ViewEvents', '*');
    const readers = [];
    for (let number = 0; number < MOST_READERS; number += 1) readers.push(await read({}));
    const refused = await call(server.port, { method: 'GET', path: PATH });
    expectError(refused, 'ACCOUNT_THROTTLED');
    expect(refused.headers['retry-after']).toBe('10');
    await server.dataPlane.stop();
    for (const { line } of readers) expect(await line()).toBeUndefined();
  });
});

describe('GET /tightbeam/v1/status', () => {
  it('tells who may know, and nobody else', async () => {
    await startFor('tightbeam:ViewStatus', '*');
    const path = '/tightbeam/v1/status';
    expect((await call(server.port, { method: 'GET', path })).body).toEqual({ service: { ready: true } });
    await server.dataPlane.stop();
    await startFor('tightbeam:ViewEvents', '*');
    expectError(await call(server.port, { method: 'GET', path }), 'OPERATION_NOT_AUTHORIZED');
  });
});
