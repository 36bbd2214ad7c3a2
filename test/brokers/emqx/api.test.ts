import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EmqxApi } from '../../../src/brokers/emqx/api.js';
import { EmqxApiError, EmqxRest } from '../../../src/brokers/emqx/rest.js';
import { RECORDED, recorded, recordedCall } from './recording.js';

describe.each(RECORDED)('the client of the management API of EMQX %s', (version) => {
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

  const replay = (what: Parameters<typeof recorded>[1], wrap = (response: unknown) => response) => {
    const { status, response } = recorded(version, what);
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
    expect(await api().nodes()).toEqual([expect.objectContaining({ node_status: 'running', version })]);
  });

  it('reads an ExHook server that EMQX cannot reach', async () => {
    replay('an ExHook server that EMQX cannot reach', (server) => [server]);
    expect(await api().exHooks()).toEqual([
      expect.objectContaining({
        failed_action: 'deny',
        hooks: [],
        node_status: [{ node: expect.stringMatching(/^emqx\d+@127\.0\.0\.1$/), status: 'connecting' }],
      }),
    ]);
  });

  it('reads authorization settings, sources, plugins and the authentication chain', async () => {
    replay('authorization settings');
    expect(await api().authorizationSettings()).toMatchObject({ cache: { excludes: [] } });
    replay('authorization sources');
    expect(await api().sources()).toEqual(expect.any(Array));
    replay('no plugin');
    expect(await api().plugins()).toEqual([]);
    replay('no authenticator');
    expect(await api().authenticators()).toEqual([]);
  });

  it('reads what 6.2.0 says of its plugins, alarms and listeners', async () => {
    const replayCall = (call: string, note = '') => {
      const { status, response } = recordedCall('6.2.0', call, note);
      answer = (_, reply) => reply.writeHead(status).end(JSON.stringify(response));
    };
    replayCall('GET /plugins', 'started');
    expect(await api().plugins()).toEqual([
      expect.objectContaining({ rel_vsn: '0.1.0', running_status: [expect.objectContaining({ status: 'running' })] }),
    ]);
    replayCall('GET /plugins/tightbeam-0.1.0/config');
    expect(await api().pluginConfig('tightbeam-0.1.0')).toBeUndefined();
    replayCall('GET /alarms?activated=true&limit=100');
    expect(await api().alarms()).toEqual([expect.objectContaining({ name: 'high_cpu_usage' })]);
    answer = (request, reply) => {
      const { response } = recordedCall('6.2.0', `GET ${String(request.url).replace('/api/v5', '')}`, '');
      reply.end(JSON.stringify(response));
    };
    expect(await api().listeners()).toEqual(
      ['tcp', 'ssl', 'ws', 'wss'].map((type) => expect.objectContaining({ id: `${type}:default`, enable_authn: true })),
    );
  });

  it('takes 204 for done', async () => {
    replay('an ExHook server removed');
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
    replay('a key refused');
    const error = await failure(api().nodes());
    const { code, message } = recorded(version, 'a key refused').response as { code: string; message: string };
    expect(error).toMatchObject({ status: 401, code });
    expect(error.message).toBe(`GET ${url}/api/v5/nodes: 401 ${code}: ${message}`);
    expect(error.message).not.toContain('secret"');
  });

  it('names the status of a server whose recorded answer is a miss', async () => {
    replay('an ExHook server removed that is not there');
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
