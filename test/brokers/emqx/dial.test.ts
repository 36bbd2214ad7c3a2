import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { dial } from '../../../src/brokers/emqx/install/dial.js';

describe('calling an ExHook address', () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  const listening = async (server: Server) => {
    const sockets = new Set<{ destroy(): void }>();
    server.on('connection', (socket) => sockets.add(socket));
    ends.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  it('finds what speaks HTTP/2, as gRPC does', async () => {
    expect(await dial(`http://${await listening(createHttp2())}`)).toBeUndefined();
  });

  it.each<[what: string, why: RegExp, arrange: () => Promise<string>]>([
    ['nobody listens', /ECONNREFUSED/, () => Promise.resolve('http://127.0.0.1:1')],
    ['a web server', /another program/, async () => `http://${await listening(createHttp())}`],
    ['who hangs up', /another program/, async () => `http://${await listening(createServer((s) => s.destroy()))}`],
    ['who says nothing', /no answer within 200 ms/, async () => `http://${await listening(createServer(() => {}))}`],
    ['clear text where TLS is registered', /speaks TLS/, async () => `https://${await listening(createHttp2())}`],
  ])('says why not: %s', async (_, why, arrange) => {
    expect(await dial(await arrange(), 200)).toMatch(why);
  });
});
