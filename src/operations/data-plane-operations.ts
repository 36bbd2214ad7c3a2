import { checkClientId, checkTopic, type Limits } from '../direct/limits.js';
import type { Authorizer } from '../policy/authorizer.js';
import type { ActionType, Events } from '../observing/events.js';
import {
  type BrokerOperations,
  type Connection,
  type Publisher,
  type RetainedMessage,
  type RetainedSummary,
  type Subscription,
} from './broker.js';
import { done, fail, perform, type Asking, type Steps, type Subject } from './performing.js';
import { readFlag, readPage, readPublish, toToken, type PageInput, type PublishInput, type Read } from './requests.js';

export interface OperationsOptions {
  readonly broker: BrokerOperations;
  readonly publisher: Publisher;
  readonly authorizer: Authorizer;
  readonly events: Events;
  readonly limits: Limits;
  /** Monotonic clock in milliseconds. */
  readonly clock: () => number;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Absent on the last page. */
  readonly nextToken?: string;
}

const NO_CLIENT = fail('CLIENT_NOT_CONNECTED', 'The broker has neither a connection nor a session of it.');
const OFFLINE = fail('CLIENT_OFFLINE_WITH_SESSION', 'It has no connection to end; cleanSession would end its session.');

/**
 * The operations of the data plane beside SendDirectMessage. Each validates, asks whether the caller may, and only then
 * asks the broker, so that who may not ask learns nothing about clients and messages. None rejects, and each reports
 * exactly one event.
 */
export class DataPlaneOperations {
  readonly #options: OperationsOptions;

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  /** `iot:Publish` on the topic, and `iot:RetainPublish` where `retain` is set. */
  publish(asking: Asking, input: PublishInput): Promise<Read<undefined>> {
    const { authorizer, publisher, limits } = this.#options;
    return this.#run(
      asking,
      'Publish-In',
      { topicName: input.topic },
      {
        read: () => readPublish(input, limits),
        authorize: ({ topic, retain }) => authorizer.publish(asking.caller, topic, { retain }),
        act: async (message) => {
          await publisher.publish(message);
          return done(undefined);
        },
      },
    );
  }

  /** `iot:GetConnection` on the client. The socket is told only where `includeSocketInformation` is `true`. */
  getConnection(asking: Asking, clientId: string, includeSocketInformation?: string): Promise<Read<Connection>> {
    const { authorizer, broker } = this.#options;
    return this.#run(
      asking,
      'GetConnection',
      { clientId },
      {
        read: () => this.#checked(clientId, readFlag('includeSocketInformation', includeSocketInformation)),
        authorize: () => authorizer.decide(asking.caller, 'iot:GetConnection', `client/${clientId}`),
        act: async (withSocket) => {
          const connection = await broker.getConnection(clientId);
          if (connection === undefined) return NO_CLIENT;
          const { socket, ...rest } = connection;
          return done(withSocket && socket !== undefined ? { ...rest, socket } : rest);
        },
      },
    );
  }

  /** `iot:DeleteConnection` on the client. */
  deleteConnection(
    asking: Asking,
    clientId: string,
    how: { readonly cleanSession?: string | undefined; readonly preventWillMessage?: string | undefined },
  ): Promise<Read<undefined>> {
    const { authorizer, broker } = this.#options;
    return this.#run(
      asking,
      'DeleteConnection',
      { clientId },
      {
        read: () => {
          const cleanSession = this.#checked(clientId, readFlag('cleanSession', how.cleanSession));
          const preventWill = readFlag('preventWillMessage', how.preventWillMessage);
          if (!cleanSession.ok) return cleanSession;
          if (!preventWill.ok) return preventWill;
          return { ok: true, value: { cleanSession: cleanSession.value, preventWill: preventWill.value } };
        },
        authorize: () => authorizer.decide(asking.caller, 'iot:DeleteConnection', `client/${clientId}`),
        act: async (read) => {
          const connection = await broker.getConnection(clientId);
          if (connection === undefined) return NO_CLIENT;
          if (!connection.connected && !read.cleanSession) return OFFLINE;
          return (await broker.deleteConnection(connection, read)) ? done(undefined) : NO_CLIENT;
        },
      },
    );
  }

  /** `iot:ListSubscriptions` on the client. In the order of the topic filters, so that pages survive changes. */
  listSubscriptions(asking: Asking, clientId: string, page: PageInput): Promise<Read<Page<Subscription>>> {
    const { authorizer, broker } = this.#options;
    return this.#run(
      asking,
      'ListSubscriptions',
      { clientId },
      {
        read: () => this.#checked(clientId, readPage(page)),
        authorize: () => authorizer.decide(asking.caller, 'iot:ListSubscriptions', `client/${clientId}`),
        act: async ({ limit, from = '' }) => {
          const all = await broker.listSubscriptions(clientId);
          if (all === undefined) return NO_CLIENT;
          const rest = all.filter(({ topicFilter }) => topicFilter > from);
          const items = rest.sort((a, b) => (a.topicFilter < b.topicFilter ? -1 : 1)).slice(0, limit);
          const last = items.at(-1);
          return done({ items, ...(last && items.length < rest.length && { nextToken: toToken(last.topicFilter) }) });
        },
      },
    );
  }

  /** `iot:GetRetainedMessage` on the topic. */
  getRetainedMessage(asking: Asking, topic: string): Promise<Read<RetainedMessage>> {
    const { authorizer, broker, limits } = this.#options;
    return this.#run(
      asking,
      'GetRetainedMessage',
      { topicName: topic },
      {
        read: () => {
          const fault = checkTopic(topic, limits);
          return fault === undefined ? done(topic) : { ok: false, ...fault };
        },
        authorize: () => authorizer.decide(asking.caller, 'iot:GetRetainedMessage', `topic/${topic}`),
        act: async () => {
          const message = await broker.getRetainedMessage(topic);
          return message === undefined ? fail('RETAINED_MESSAGE_NOT_FOUND', 'The broker retains none.') : done(message);
        },
      },
    );
  }

  /** `iot:ListRetainedMessages` on `*`, as AWS has it: it lists what is on every topic. */
  listRetainedMessages(asking: Asking, page: PageInput): Promise<Read<Page<RetainedSummary>>> {
    const { authorizer, broker } = this.#options;
    return this.#run(
      asking,
      'ListRetainedMessages',
      {},
      {
        read: () => readPage(page),
        authorize: () => authorizer.decide(asking.caller, 'iot:ListRetainedMessages', '*'),
        act: async ({ limit, from }) => {
          const { messages, next } = await broker.listRetainedMessages(limit, from);
          return done({ items: messages, ...(next !== undefined && { nextToken: toToken(next) }) });
        },
      },
    );
  }

  #run<Input, Output>(
    asking: Asking,
    type: ActionType,
    subject: Subject,
    steps: Steps<Input, Output>,
  ): Promise<Read<Output>> {
    return perform(this.#options, asking, type, subject, steps);
  }

  /** What was read, unless the client ID cannot be that of a client. */
  #checked<T>(clientId: string, read: Read<T>): Read<T> {
    const fault = checkClientId(clientId, this.#options.limits);
    return fault === undefined ? read : { ok: false, ...fault };
  }
}
