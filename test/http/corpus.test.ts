import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { checkClientId, checkTopic, DEFAULT_LIMITS } from '../../src/direct/limits.js';
import type { Identity } from '../../src/identity/identity.js';
import type { BrokerOperations } from '../../src/operations/broker.js';
import {
  casesThat,
  expectCases,
  expectDecision,
  identityOf,
  mentions,
  nameOf,
  type CorpusCase,
} from '../policy/corpus.js';
import { SwitchedAuthorizer } from '../policy/support/switched.js';
import { encode, exchange, expectError, startServer, type Sent, type TestServer } from './support.js';

const asked = casesThat((item) => requestOf(item) !== undefined);

const authorizer = new SwitchedAuthorizer();
/** Whoever the case says is who calls. */
let caller: Identity;
/** What was done, beside direct messages. */
let done: string[];

/** A broker that has everything and does everything. */
const broker: BrokerOperations = {
  getConnection: (clientId) => did('getConnection', { clientId, connected: true, cleanSession: true }),
  deleteConnection: () => did('deleteConnection', true),
  listSubscriptions: () => did('listSubscriptions', []),
  getRetainedMessage: (topic) => did('getRetainedMessage', { topic, qos: 0, payload: new Uint8Array() }),
  listRetainedMessages: () => did('listRetainedMessages', { messages: [] }),
};

let server: TestServer;
beforeAll(async () => {
  server = await startServer({
    authorizer,
    authenticators: [{ scheme: 'corpus', authenticate: () => Promise.resolve({ ok: true, identity: caller }) }],
    behind: { broker, publisher: { publish: () => did('publish', undefined) } },
  });
});
afterAll(() => server.dataPlane.stop());
beforeEach(() => {
  done = [];
  server.delivery.messages.length = 0;
  server.events.all.length = 0;
});

describe.each(asked)('%s', (_, cases) => {
  test.each(cases.map((item) => [item.name, item] as const))('%s', async (_name, item) => {
    authorizer.switchTo(item);
    caller = identityOf(item);
    const request = requestOf(item);
    if (request === undefined) throw new Error('There is no request for the case.');
    const received = await exchange(server.port, request);

    const direct = item.request.action === 'iot:SendDirectMessage';
    const acts = done.length + server.delivery.messages.length;
    if (item.expected.effect === 'deny') {
      expectError(received, direct ? 'SENDER_NOT_AUTHORIZED' : 'OPERATION_NOT_AUTHORIZED');
      expect(received.status).toBe(403);
      expect(acts).toBe(0);
    } else {
      expect(received.status).toBe(200);
      expect(acts).toBeGreaterThan(0);
    }
    expect(authorizer.decisions).toHaveLength(1);
    expect(server.events.all).toHaveLength(1);
    const [event] = direct ? server.events.direct : server.events.told;
    expectDecision(event?.decision, item);
  });
});

test('few cases are beyond what HTTP can ask', () => {
  expectCases(asked, {
    'iot:Publish': 350,
    'iot:SendDirectMessage': 25,
    'iot:GetConnection': 7,
    'iot:DeleteConnection': 5,
    'iot:ListSubscriptions': 5,
    'iot:GetRetainedMessage': 5,
    'iot:ListRetainedMessages': 4,
  });
});

/**
 * The request that asks the case. There is none where no operation asks for the action, and where validation, which
 * comes before the decision, would refuse it. Who calls is up to the authenticator, so every identity will do.
 *
 * `iot:RetainPublish` is asked by Publish, after `iot:Publish`: the cases of `iot:Publish` with RETAIN stand for both.
 */
function requestOf(item: CorpusCase): Sent | undefined {
  const { action, retain } = item.request;
  const name = nameOf(item);
  switch (action) {
    case 'iot:SendDirectMessage': {
      const topic = topicOf(item);
      if (topic === undefined) return undefined;
      return ofClient(name, { path: '/messages', query: { topic } });
    }
    case 'iot:GetConnection':
      return ofClient(name, { method: 'GET', path: '' });
    case 'iot:DeleteConnection':
      return ofClient(name, { method: 'DELETE', path: '' });
    case 'iot:ListSubscriptions':
      return ofClient(name, { method: 'GET', path: '/subscriptions' });
    case 'iot:Publish':
      if (!isTopic(name)) return undefined;
      return { path: `/topics/${encode(name)}`, query: retain === undefined ? {} : { retain: String(retain) } };
    case 'iot:GetRetainedMessage':
      return isTopic(name) ? { method: 'GET', path: `/retainedMessage/${encode(name)}` } : undefined;
    case 'iot:ListRetainedMessages':
      return { method: 'GET', path: '/retainedMessage' };
    case 'iot:Connect':
    case 'iot:Subscribe':
    case 'iot:Receive':
    case 'iot:RetainPublish':
    case 'tightbeam:DescribeDevice':
    case 'tightbeam:ListDevices':
    case 'tightbeam:ExplainPolicy':
    case 'tightbeam:ViewEvents':
    case 'tightbeam:ViewStatus':
      return undefined;
  }
}

/** A request about the connection of a client, unless nothing can be the client ID. */
function ofClient(clientId: string, sent: Sent): Sent | undefined {
  if (checkClientId(clientId, DEFAULT_LIMITS) !== undefined) return undefined;
  return { ...sent, path: `/connections/${encode(clientId)}${sent.path}` };
}

/** A direct message always has a topic: one of a case that names none gets one, unless its policies ask for it. */
function topicOf(item: CorpusCase): string | undefined {
  const { 'iot:Topic': topic = mentions(item, 'iot:Topic') ? '' : 't' } = item.request.context ?? {};
  return typeof topic === 'string' && isTopic(topic) ? topic : undefined;
}

function isTopic(topic: string): boolean {
  return checkTopic(topic, DEFAULT_LIMITS) === undefined;
}

function did<T>(name: string, value: T): Promise<T> {
  done.push(name);
  return Promise.resolve(value);
}
