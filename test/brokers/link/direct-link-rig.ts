import { afterEach, beforeEach } from '@jest/globals';
import type { BrokerConnectionEvent } from '../../../src/brokers/link/connection-pool.js';
import { DirectLink } from '../../../src/brokers/link/direct-link.js';
import type { DirectMessage } from '../../../src/direct/message.js';
import { ScriptedBroker } from './scripted-broker.js';

export const MESSAGE: DirectMessage = {
  targetClientId: 'lock/17',
  topic: 'cmd/open',
  payload: Buffer.from('now'),
  confirmation: true,
  timeoutMs: 5_000,
  properties: {},
};

/** A link to a scripted broker, new ones for each test. */
export class DirectLinkRig {
  broker!: ScriptedBroker;
  link!: DirectLink;
  states: BrokerConnectionEvent[] = [];
  #onState: (event: BrokerConnectionEvent) => void = () => undefined;

  constructor() {
    beforeEach(async () => {
      this.broker = await ScriptedBroker.start();
      this.states = [];
      this.#onState = () => undefined;
    });
    afterEach(async () => {
      await this.link.close();
      await this.broker.stop();
    });
  }

  connect(options: { url?: string; connections?: number; maxConnections?: number } = {}): DirectLink {
    const { url = this.broker.url, ...connections } = options;
    this.link = new DirectLink({
      urls: [url],
      username: 'tightbeam',
      password: 'secret',
      connections: 1,
      maxConnections: 1,
      ...connections,
      onConnection: (event) => {
        this.states.push(event);
        this.#onState(event);
      },
    });
    return this.link;
  }

  readonly deliver = async (message: DirectMessage): Promise<string> => (await this.link.deliver(message)).reason;

  /** Settles when a connection reaches the state. */
  readonly state = (wanted: BrokerConnectionEvent['state']): Promise<BrokerConnectionEvent> =>
    new Promise((resolve) => {
      this.#onState = (event) => {
        if (event.state === wanted) resolve(event);
      };
    });
}
