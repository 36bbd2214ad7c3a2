import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EmqxApi } from '../../../src/brokers/emqx/api.js';
import { EmqxApiError, EmqxRest } from '../../../src/brokers/emqx/rest.js';
import { recorded } from './fake-emqx.js';

describe("the client of EMQX's management API", () => {
  let server: Server;
  let answer: RequestListener;
  let url: string;
  const requests: { method: string | undefined; url: string | undefined; authorization: string | undefined }[] = [];

  beforeEach(async () => {
    requests.length = 0;
    server = createServer((request, response) => {
      requests.push({ method: request.method, url: request.url, authorization: request.headers.authorization });
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const api = (options: { url?: string; timeoutMs?: number } = {}) =>
    new EmqxApi(new EmqxRest({ url, key: 'key', secret: 'secret', ...options }));

  const replay = (note: string, wrap: (response: unknown) => unknown = (response) => response) => {
    const { status, response } = recorded(note);
    answer = (_, reply) => {
      reply.writeHead(status, { 'content-type': 'application/json' });
      reply.end(response === '' ? undefined : JSON.stringify(wrap(response)));
    };
  };

  const failure = async (call: Promise<unknown>): Promise<EmqxApiError> => {
    const error: unknown = await call.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof EmqxApiError)) throw new Error(`expected an EmqxApiError, got ${String(error)}`);
    return error;
  };

  it('reads the nodes of a recorded EMQX', async () => {
    replay('nodes');
    expect(await api().nodes()).toEqual([expect.objectContaining({ node_status: 'running', version: '5.8.9' })]);
  });

  it('reads an ExHook server that EMQX cannot reach', async () => {
    replay('an exhook server that cannot be reached', (server) => [server]);
    expect(await api().exHooks()).toEqual([
      expect.objectContaining({
        name: 'tightbeam',
        failed_action: 'deny',
        hooks: [],
        node_status: [{ node: 'emqx9@127.0.0.1', status: 'connecting' }],
      }),
    ]);
  });

  it('reads authorization settings, sources, plugins and the authentication chain', async () => {
    replay('authorization settings');
    expect(await api().authorizationSettings()).toMatchObject({ no_match: 'allow', cache: { excludes: [] } });
    replay('authorization sources');
    expect(await api().sources()).toEqual([]);
    replay('plugins');
    expect(await api().plugins()).toEqual([]);
    replay('authentication chain');
    expect(await api().authenticators()).toEqual([]);
  });

  it('takes 204 for done', async () => {
    replay('delete an exhook server');
    await api().removeExHook('tightbeam');
    expect(requests).toEqual([expect.objectContaining({ method: 'DELETE', url: '/api/v5/exhooks/tightbeam' })]);
  });

  it.each(['', '/', '/api/v5', '/api/v5/'])('calls /api/v5 for an address that ends in "%s"', async (end) => {
    replay('nodes');
    await api({ url: url + end }).nodes();
    expect(requests[0]?.url).toBe('/api/v5/nodes');
  });

  it('sends key and secret as basic authentication', async () => {
    replay('nodes');
    await api().nodes();
    expect(requests[0]?.authorization).toBe(`Basic ${Buffer.from('key:secret').toString('base64')}`);
  });

  it('names method, URL, status and code of a refusal, and no secret', async () => {
    replay('bad API key');
    const error = await failure(api().nodes());
    expect(error).toMatchObject({ status: 401, code: 'BAD_API_KEY_OR_SECRET' });
    expect(error.message).toBe(`GET ${url}/api/v5/nodes: 401 BAD_API_KEY_OR_SECRET: Check api_key/api_secret`);
  });

  it('names the status of a server whose recorded answer is a miss', async () => {
    replay('delete it again');
    expect(await failure(api().removeExHook('tightbeam'))).toMatchObject({ status: 404, code: 'BAD_REQUEST' });
  });

  it('gives up after its timeout, also where the answer has begun', async () => {
    answer = (_, reply) => {
      reply.writeHead(200);
      reply.write('[');
    };
    const error = await failure(api({ timeoutMs: 100 }).nodes());
    expect(error.message).toContain('no answer within 100 ms');
    expect(error.status).toBeUndefined();
  });

  it('gives the nodes of a cluster more time for a change', async () => {
    let reply: ServerResponse | undefined;
    answer = (request, response) => {
      if (request.method === 'PUT') reply = response;
    };
    const hasty = api({ timeoutMs: 100 });
    const changed = hasty.startPlugin('tightbeam-0.1.0');
    expect((await failure(hasty.nodes())).message).toContain('no answer within 100 ms');
    reply?.writeHead(204).end();
    await changed;
  });

  it('says that nobody listens', async () => {
    const [closed] = [url, await new Promise((resolve) => server.close(resolve))];
    const error = await failure(api({ url: closed }).nodes());
    expect(error.message).toContain(`GET ${closed}/api/v5/nodes: connect ECONNREFUSED 127.0.0.1`);
  });

  it('does not take the page of a web server for an answer', async () => {
    answer = (_, reply) => reply.end('<html>');
    expect((await failure(api().nodes())).message).toContain('is not JSON');
  });

  it('says which field of an answer is not as any supported EMQX has it', async () => {
    answer = (_, reply) => reply.end('[{"node": 1}]');
    expect((await failure(api().nodes())).message).toMatch(/at \[0\]\.node\b/);
  });

  it.each(['emqx:18083', 'ftp://emqx', ''])('refuses the address "%s"', (address) => {
    expect(() => api({ url: address })).toThrow(EmqxApiError);
  });

  it('has no configuration for a plugin of which EMQX keeps none', async () => {
    answer = (_, reply) => reply.writeHead(400).end('{"code":"BAD_CONFIG","message":"Plugin Config Not Found"}');
    expect(await api().pluginConfig('tightbeam-0.1.0')).toBeUndefined();
  });
});
