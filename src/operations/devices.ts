import { checkClientId, type Limits } from '../direct/limits.js';
import type { EventRecord, Events } from '../observing/events.js';
import type { RecentEvents } from '../observing/recent.js';
import type { Action, Authorizer } from '../policy/authorizer.js';
import type { PolicySet } from '../policy/policy-set.js';
import { identify } from '../policy/questions/asker.js';
import { whatCan, type WhatCan } from '../policy/questions/what-can.js';
import { finishInSlices } from '../policy/work.js';
import { BrokerFault, type BrokerOperations, type Connection, type Subscription } from './broker.js';
import { done, fail, perform, type Asking } from './performing.js';
import type { Read } from './requests.js';

export interface DevicesOptions {
  readonly authorizer: Authorizer;
  readonly broker: Pick<BrokerOperations, 'getConnection' | 'listSubscriptions'>;
  readonly recent: RecentEvents;
  /** The policies in force. */
  readonly current: () => PolicySet;
  readonly events: Events;
  readonly limits: Limits;
  /** Monotonic clock in milliseconds. */
  readonly clock: () => number;
}

/** What is known of one device. Times are milliseconds since 1970; absent is what nobody tells. */
export interface Device {
  readonly clientId: string;
  readonly connected: boolean;
  /** Who it is to the policies: as at its last CONNECT that this replica was told of, else by its user name. */
  readonly principal?: string | undefined;
  /** As the broker has it; absent where it has neither a connection nor a session. */
  readonly connection?: Connection | undefined;
  /** Its last disconnect that this replica was told of, while it is not connected. */
  readonly disconnected?: { readonly at: number; readonly reason?: string | undefined } | undefined;
  readonly subscriptions?: readonly Subscription[] | undefined;
  /** What the broker cannot tell, and why. */
  readonly untold?: string | undefined;
  /** What its policies let it send and receive as direct messages; absent where no principal stands for it. */
  readonly directMessages?: WhatCan | undefined;
  /** The latest of this replica, the oldest first. */
  readonly events: readonly (EventRecord & { readonly at: number })[];
}

const LAST_EVENTS = 20;
const ABOUT_DIRECT: readonly Action[] = ['iot:SendDirectMessage', 'iot:Receive'];

/** One device with all that is known of it, for callers who may know. */
export class Devices {
  readonly #options: DevicesOptions;

  constructor(options: DevicesOptions) {
    this.#options = options;
  }

  /** `tightbeam:DescribeDevice` on the client. Never rejects, and reports exactly one event. */
  describe(asking: Asking, clientId: string, signal: AbortSignal): Promise<Read<Device>> {
    const { authorizer, limits } = this.#options;
    return perform(
      this.#options,
      asking,
      'DescribeDevice',
      { clientId },
      {
        read: () => {
          const fault = checkClientId(clientId, limits);
          return fault === undefined ? done(undefined) : { ok: false, ...fault };
        },
        authorize: () => authorizer.decide(asking.caller, 'tightbeam:DescribeDevice', `client/${clientId}`),
        act: async () => {
          const device = await this.#describe(clientId, signal);
          return device.connection === undefined && device.events.length === 0
            ? fail(
                'CLIENT_NOT_CONNECTED',
                'The broker has neither a connection nor a session of it, and no event tells of it.',
              )
            : done(device);
        },
      },
    );
  }

  async #describe(clientId: string, signal: AbortSignal): Promise<Device> {
    const { broker, recent } = this.#options;
    const past = recent.find(
      (record) =>
        (record.clientId === clientId || record.targetClientId === clientId) && record.eventType !== 'DescribeDevice',
    );
    const untold: string[] = [];
    const asked = async <T>(answer: Promise<T | undefined>): Promise<T | undefined> => {
      try {
        return await answer;
      } catch (error) {
        if (!(error instanceof BrokerFault) || error.reason !== 'NOT_SUPPORTED') throw error;
        untold.push(error.message);
        return undefined;
      }
    };
    const connection = await asked(broker.getConnection(clientId));
    const subscriptions = connection && (await asked(broker.listSubscriptions(clientId)));
    const last = (eventType: string) =>
      past.findLast(({ record }) => record.eventType === eventType && record.status === 'Success');
    const principal = this.#principal(clientId, last('Connect')?.record.principalId, connection?.username);
    const away = connection?.connected === true ? undefined : last('Disconnect');
    return {
      clientId,
      connected: connection?.connected === true,
      principal: principal?.name,
      connection,
      disconnected: away && { at: away.at, reason: away.record.disconnectReason },
      subscriptions,
      untold: untold.length === 0 ? undefined : [...new Set(untold)].join(' '),
      directMessages:
        principal && (await finishInSlices(whatCan(principal.set, principal.compiled, ABOUT_DIRECT), signal)),
      events: past.slice(-LAST_EVENTS).map(({ at, record }) => ({ at, ...record })),
    };
  }

  #principal(clientId: string, name: string | undefined, username: string | undefined) {
    const set = this.#options.current();
    const declared = name === undefined ? undefined : set.principal(name);
    const compiled =
      declared ?? (username === undefined ? undefined : identify(set, { username, clientId })?.principal);
    return compiled && { set, compiled, name: compiled.principal.name };
  }
}
