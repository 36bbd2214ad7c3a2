import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Dialer } from '../../../src/brokers/door/dialer.js';
import { hasMosquitto, startMosquitto, type Mosquitto } from './mosquitto.js';

const whereItIs = hasMosquitto ? describe : describe.skip;

whereItIs('connections to a broker that takes none at the moment', () => {
  let mosquitto: Mosquitto;
  let queued: Socket[];

  beforeEach(async () => {
    mosquitto = await startMosquitto();
    mosquitto.signal('SIGSTOP');
    queued = await fillQueue(mosquitto.path);
  });

  afterEach(async () => {
    mosquitto.signal('SIGCONT');
    for (const socket of queued) socket.destroy();
    await mosquitto.dispose();
  });

  it('wait until the broker goes on, all of them', async () => {
    const dialer = new Dialer({ kind: 'unix', path: mosquitto.path });
    const all = Array.from({ length: 30 }, () => dialer.dial());
    // The first has met the full queue by then.
    await new Promise(setImmediate);
    mosquitto.signal('SIGCONT');
    const streams = await Promise.all(all);
    expect(streams.every((stream) => stream !== undefined)).toBe(true);
    for (const stream of streams) stream?.destroy();
  });

  it('are not made for who has gone', async () => {
    const dialer = new Dialer({ kind: 'unix', path: mosquitto.path });
    let wanted = true;
    const dialled = dialer.dial(() => wanted);
    await new Promise(setImmediate);
    wanted = false;
    await expect(dialled).resolves.toBeUndefined();
  });

  it('fail at once where there is no broker', async () => {
    const dialer = new Dialer({ kind: 'unix', path: `${mosquitto.path}-not` });
    await expect(dialer.dial()).rejects.toThrow('ENOENT');
  });
});

/** Connections that the broker has not taken, until Linux refuses one more. */
async function fillQueue(path: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (;;) {
    const socket = connect({ path });
    try {
      await once(socket, 'connect');
      sockets.push(socket);
    } catch (error) {
      expect(error).toMatchObject({ code: 'EAGAIN' });
      return sockets;
    }
  }
}
