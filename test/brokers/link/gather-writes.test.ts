import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gatherWrites, joinWrites } from '../../../src/brokers/link/gather-writes.js';

let server: Server;
let socket: Socket;
let received: Promise<Buffer>;
beforeEach(async () => {
  server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [peer] = await accepted;
  received = buffer(peer);
  await once(socket, 'ready');
});
afterEach(async () => {
  socket.destroy();
  server.close();
  await once(server, 'close');
});

describe('what is written to a socket in one turn', () => {
  const pieces = ['p', Buffer.from([0xff]), 'ü🔒', Buffer.alloc(0), Buffer.from('end')];

  test('goes out as one buffer, in order, and every callback is called', async () => {
    joinWrites(socket);
    const sent = jest.spyOn(socket, '_write');
    gatherWrites(socket);
    gatherWrites(socket);
    const written = pieces.map((piece) => new Promise((resolve) => socket.write(piece, resolve)));
    expect(sent).not.toHaveBeenCalled();
    await Promise.all(written);
    expect(sent).toHaveBeenCalledTimes(1);
    socket.end();
    expect(await received).toEqual(Buffer.concat(pieces.map((piece) => Buffer.from(piece))));
  });

  test('is not copied where it is large', async () => {
    joinWrites(socket);
    const sent = jest.spyOn(socket, '_write');
    gatherWrites(socket);
    for (const piece of ['a', Buffer.alloc(100_000, 'b'), 'c']) socket.write(piece);
    socket.end();
    expect((await received).toString()).toBe(`a${'b'.repeat(100_000)}c`);
    expect(sent).not.toHaveBeenCalled();
  });
});
