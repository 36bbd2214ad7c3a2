import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { Listener } from '../../../src/brokers/door/listeners/listener.js';
import { networks } from '../../../src/networks.js';
import { all, ListenerRig, LOCAL, PROXY, read } from './listener-rig.js';

let rig: ListenerRig;
beforeEach(() => {
  rig = new ListenerRig();
});
afterEach(() => rig.stop());

describe('in clear text', () => {
  test('a connection is handed on as it comes, with where it comes from', async () => {
    await rig.start();
    const socket = rig.dial();
    socket.write('hello');
    const { stream, endpoints } = await rig.next();
    expect(await read(stream, 5)).toBe('hello');
    expect(endpoints).toMatchObject({
      sourceIp: '127.0.0.1',
      sourcePort: socket.localPort,
      targetPort: rig.port,
      secureTransport: false,
      internal: false,
    });
    expect(endpoints.certificate).toBeUndefined();
  });

  test('an address that is taken is an error', async () => {
    await rig.start();
    const second = new Listener({ diagnostics: () => undefined, timeoutMs: 1_000, accept: () => undefined });
    await expect(second.listen('127.0.0.1', rig.port)).rejects.toThrow(/EADDRINUSE/);
  });
});

describe('behind a proxy', () => {
  test.each([
    ['at once', [PROXY + 'hello']],
    ['a byte at a time', [...PROXY.split(/(?<=.)/s), 'hello']],
  ])('the client is the one of the header, which comes %s', async (_, parts) => {
    await rig.start({ proxies: LOCAL });
    const socket = rig.dial();
    socket.setNoDelay(true);
    for (const part of parts) await new Promise((resolve) => socket.write(part, resolve));
    const { stream, endpoints } = await rig.next();
    expect(endpoints).toMatchObject({ sourceIp: '192.0.2.1', sourcePort: 55_555, targetPort: rig.port });
    expect(await read(stream, 5)).toBe('hello');
  });

  test('a connection without a header is closed, and told', async () => {
    await rig.start({ proxies: LOCAL });
    const socket = rig.dial();
    socket.write(Buffer.of(0x10, 0));
    expect(await all(socket)).toBe('');
    expect(rig.accepted).toEqual([]);
    expect(rig.logged).toMatchObject([['info', expect.any(String), { sourceIp: '127.0.0.1' }]]);
  });

  test('who is not listed cannot say where they come from: the header is what they send', async () => {
    await rig.start({ proxies: networks(['10.0.0.0/8']) });
    rig.dial().write(PROXY);
    const { stream, endpoints } = await rig.next();
    expect(endpoints.sourceIp).toBe('127.0.0.1');
    expect(await read(stream, PROXY.length)).toBe(PROXY);
  });

  test.each(['', 'PROXY TCP4'])('who does not finish the header is closed, having said %j', async (beginning) => {
    await rig.start({ proxies: LOCAL, timeoutMs: 50 });
    const socket = rig.dial();
    socket.write(beginning);
    await all(socket);
    expect(rig.accepted).toEqual([]);
  });
});

describe('with WebSockets', () => {
  const options = { webSocket: { path: '/mqtt', messageBytes: 1_000 } };
  const open = (protocols: string[] = ['mqtt'], path = '/mqtt', headers = {}): WebSocket => {
    const socket = new WebSocket(`ws://127.0.0.1:${rig.port}${path}`, protocols, { headers });
    return rig.own(socket, () => {
      socket.terminate();
    });
  };

  test.each([[['mqtt'], 'mqtt'] as const, [['mqttv3.1'], 'mqttv3.1'] as const, [['x', 'mqtt'], 'mqtt'] as const])(
    'whoever offers %j gets %s, and binary messages pass both ways',
    async (offered, chosen) => {
      await rig.start(options);
      const socket = open([...offered], '/mqtt?x-amz-date=1');
      await once(socket, 'open');
      expect(socket.protocol).toBe(chosen);
      const { stream, endpoints } = await rig.next();
      expect(endpoints).toMatchObject({ sourceIp: '127.0.0.1', secureTransport: false });
      socket.send('he', { binary: true, fin: false });
      socket.send('llo', { binary: true, fin: true });
      expect(await read(stream, 5)).toBe('hello');
      const answer = once(socket, 'message');
      stream.cork();
      stream.write('wor');
      stream.write('ld');
      stream.uncork();
      expect(await answer).toEqual([Buffer.from('world'), true]);
      const closed = once(socket, 'close');
      stream.end();
      expect((await closed)[0]).toBe(1000);
    },
  );

  test.each([
    ['another path', 404, ['mqtt'], '/'],
    ['no subprotocol', 400, [], '/mqtt'],
    ['another subprotocol', 400, ['chat'], '/mqtt'],
  ])('%s is refused with %i', async (_, status, offered, path) => {
    await rig.start(options);
    const [, response] = (await once(open(offered, path), 'unexpected-response')) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(status);
    expect(rig.accepted).toEqual([]);
  });

  test('a request for something else is answered 426, and closed', async () => {
    await rig.start(options);
    const socket = rig.dial();
    socket.write('GET /mqtt HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(await all(socket)).toMatch(/^HTTP\/1.1 426 /);
  });

  test.each([
    ['text', 1003, 'text'],
    ['a message that is too large', 1009, Buffer.alloc(1_001)],
  ])('%s ends the connection with %i, and is not heard', async (_, code, message) => {
    await rig.start(options);
    const socket = open();
    await once(socket, 'open');
    const { stream } = await rig.next();
    const heard: unknown[] = [];
    stream.on('data', (chunk) => heard.push(chunk));
    const closed = once(socket, 'close');
    const ended = once(stream, 'close');
    socket.send(message);
    socket.send(Buffer.from('behind'));
    expect((await closed)[0]).toBe(code);
    await ended;
    expect(heard).toEqual([]);
  });

  test('a frame that is not masked is a protocol error, and is not heard', async () => {
    await rig.start(options);
    const socket = rig.dial();
    socket.write(
      'GET /mqtt HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n' +
        'sec-websocket-protocol: mqtt\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    const { stream } = await rig.next();
    const ended = once(stream, 'close');
    stream.resume();
    socket.write(Buffer.of(0x82, 1, 0x78));
    expect(await all(socket)).toMatch(/^HTTP\/1.1 101 /);
    await ended;
  });

  test('a peer that is gone without a word ends the stream', async () => {
    await rig.start(options);
    const socket = open();
    await once(socket, 'open');
    const { stream } = await rig.next();
    stream.resume();
    const ended = once(stream, 'close');
    socket.terminate();
    await ended;
  });

  test('whoever does not read is not written to without end, and whoever is not read cannot write without end', async () => {
    await rig.start(options);
    const socket = open();
    await once(socket, 'open');
    const { stream } = await rig.next();
    socket.pause();
    const chunk = Buffer.alloc(1_048_576);
    for (let written = 0; written < 64; written++) stream.write(chunk);
    // More than the buffers of stream and kernels hold.
    const small = Buffer.alloc(900);
    for (let sent = 0; sent < 40_000; sent++) socket.send(small);
    const clock = open();
    await once(clock, 'open');
    const other = (await rig.next()).stream;
    other.pipe(other);
    for (let turn = 0; turn < 100; turn++) {
      clock.send(small);
      await once(clock, 'message');
    }
    expect(stream.writableLength).toBeGreaterThan(32 * chunk.length);
    expect(stream.readableLength).toBeLessThan(chunk.length);
    expect(socket.bufferedAmount).toBeGreaterThan(chunk.length);
  });

  test.each(['', 'GET /mqtt HTTP/1.1\r\nhost: x\r\n'])('who does not finish the handshake is closed', async (text) => {
    await rig.start({ ...options, timeoutMs: 50 });
    const socket = rig.dial();
    socket.write(text);
    await all(socket);
    expect(rig.accepted).toEqual([]);
  });

  test('comes behind a proxy, too', async () => {
    await rig.start({ ...options, proxies: LOCAL });
    const socket = rig.dial();
    socket.write(
      `${PROXY}GET /mqtt HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n` +
        'sec-websocket-protocol: mqtt\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    const { endpoints } = await rig.next();
    expect(endpoints.sourceIp).toBe('192.0.2.1');
  });
});
