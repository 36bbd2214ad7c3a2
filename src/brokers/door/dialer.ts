import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { BrokerAddress } from './broker-address.js';
import { dialBroker } from './dial.js';

/** Between two attempts, where the broker's queue is full. */
const AGAIN_MS = 5;

/**
 * Opens the connections to the broker. A unix socket has a short queue of connections that the broker has not taken yet
 * (ten with Mosquitto 2.0.11, read in its net.c), and Linux refuses the next at once (EAGAIN, unix(7)) where TCP would
 * wait. So whoever comes when many do waits here: one tries for all of them, in the order in which they came.
 */
export class Dialer {
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly broker: BrokerAddress) {}

  /**
   * A new connection; over TCP and TLS it may still be on its way.
   *
   * @param isWanted where it is not any more, nothing is dialled
   * @returns undefined where it is not wanted. Rejects where the broker is not there.
   */
  dial(isWanted: () => boolean = () => true): Promise<Duplex | undefined> {
    const { broker } = this;
    if (broker.kind !== 'unix') return Promise.resolve(dialBroker(broker));
    const dialled = this.#last.then(() => connectWhenThereIsRoom(broker.path, isWanted));
    this.#last = dialled.catch(() => undefined);
    return dialled;
  }
}

async function connectWhenThereIsRoom(path: string, isWanted: () => boolean): Promise<Duplex | undefined> {
  while (isWanted()) {
    const socket = connect({ path });
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
    await pause(AGAIN_MS);
  }
  return undefined;
}
