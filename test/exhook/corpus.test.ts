import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { formatDirectTopic, isUnderDirect } from '../../src/direct/topic.js';
import { realFilter } from '../../src/policy/matching/topics.js';
import { GENERATIONS, type Generation } from '../../src/exhook/protocol.js';
import type { RequestOf } from '../../src/exhook/wire.js';
import type { Identity } from '../../src/identity/identity.js';
import { MqttAuthenticator } from '../../src/identity/mqtt-authenticator.js';
import type { ActionType } from '../../src/observing/events.js';
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
import { clientInfo, meta, startProvider } from './harness.js';

/** A call, what it asks beside who the client is, and the event that reports a denial. */
type Question = { readonly denial: ActionType | 'SendDirectMessage' } & (
  | { readonly call: 'OnClientAuthenticate' }
  | ({ readonly call: 'OnClientAuthorize' } & Pick<RequestOf<'OnClientAuthorize'>, 'type' | 'topic'>)
);

const asked = casesThat(canBeAsked);

const authorizer = new SwitchedAuthorizer();
/** Every password is right: what is asked here is what clients may do. */
const authenticator = new MqttAuthenticator({
  credentials: () => ({ hasUser: () => true, isPassword: () => true }),
  service: { username: 'tightbeam' },
});

let harness: Awaited<ReturnType<typeof startProvider>>;
beforeAll(async () => {
  harness = await startProvider({ authorizer, authenticator });
});
afterAll(() => harness.stop());

describe.each(GENERATIONS)('generation %s', (generation) => {
  describe.each(asked)('%s', (_, cases) => {
    test.each(cases.map((item) => [item.name, item] as const))('%s', async (_name, item) => {
      authorizer.switchTo(item);
      const question = questionOf(item);
      if (question === undefined) throw new Error('There is no call for the case.');
      const answer = await ask(generation, question, item);

      const { effect } = item.expected;
      expect(answer).toEqual({ type: 'STOP_AND_RETURN', bool_result: effect === 'allow' });
      const [decision, ...others] = authorizer.decisions;
      expect(others).toEqual([]);
      expectDecision(decision, item);
      if (effect === 'allow') return;
      // The very decision is reported, too.
      await harness.events.next(question.denial, (event) => event.decision === decision);
    });
  });
});

test('few cases are beyond what ExHook can ask', () => {
  expectCases(asked, {
    'iot:Publish': 380,
    'iot:Subscribe': 40,
    'iot:Connect': 5,
    'iot:Receive': 7,
    'iot:SendDirectMessage': 25,
  });
});

test('no call failed', () => {
  expect(harness.logged).toEqual([]);
});

/** Whether a broker can ask the case by ExHook: the action, all facts of the request, and all facts of the identity. */
function canBeAsked(item: CorpusCase): boolean {
  return questionOf(item) !== undefined && carriesRequest(item) && carriesIdentity(item);
}

function carriesRequest(item: CorpusCase): boolean {
  const { action, retain, context = {} } = item.request;
  const name = nameOf(item);
  // OnClientAuthorize does not tell the RETAIN flag, and OnClientAuthenticate nothing of CONNECT but the credentials.
  if (retain === true) return false;
  if ('iot:ConnectAttributes' in context || 'iot:DomainName' in context) return false;
  if (action === 'iot:Connect' && mentions(item, 'iot:ConnectAttributes')) return false;
  // Under $dm/ these are direct messages, which are other actions.
  if (action === 'iot:Publish') return !isUnderDirect(name);
  if (action === 'iot:Subscribe') return !isUnderDirect(realFilter(name));
  return true;
}

/**
 * The call tells client ID, username, address and the subject of the certificate. That the connection is TLS follows
 * from the certificate alone, and without one is not known.
 */
function carriesIdentity(item: CorpusCase): boolean {
  const { protocol, certificate, secureTransport, accessKeyId, jwtSubject } = clientOf(item);
  if (protocol !== 'MQTT' || accessKeyId !== undefined || jwtSubject !== undefined) return false;
  if (certificate?.fingerprint !== undefined || certificate?.commonName === '') return false;
  const told = certificate === undefined ? undefined : true;
  return secureTransport === told || !mentions(item, 'aws:SecureTransport');
}

function ask(generation: Generation, question: Question, item: CorpusCase) {
  const asking = { clientinfo: infoOf(item), result: true, meta };
  if (question.call === 'OnClientAuthenticate') return harness.call(generation, question.call, asking);
  const { call, type, topic } = question;
  return harness.call(generation, call, { ...asking, type, topic });
}

/**
 * The client that asks. The principal of the corpus has a username beside its access key, so a device can send the
 * direct messages of HTTP callers too: none of those cases decides by who calls.
 */
function clientOf(item: CorpusCase): Identity {
  const identity = identityOf(item);
  const asDevice = identity.protocol === 'HTTP' && item.request.action === 'iot:SendDirectMessage';
  return asDevice ? identityOf({ ...item, identity: {} }) : identity;
}

function infoOf(item: CorpusCase) {
  const { clientId = '', username = '', certificate, sourceIp = '', sourcePort = 0 } = clientOf(item);
  const { commonName: cn = '', distinguishedName: dn = '' } = certificate ?? {};
  return clientInfo({ clientid: clientId, username, cn, dn, peerhost: sourceIp, peerport: sourcePort });
}

/** The call that asks the case. There is none for what only the HTTP API does. */
function questionOf(item: CorpusCase): Question | undefined {
  const { action, context = {} } = item.request;
  const name = nameOf(item);
  switch (action) {
    case 'iot:Connect':
      return { call: 'OnClientAuthenticate', denial: 'Connect' };
    case 'iot:Publish':
      return { call: 'OnClientAuthorize', type: 'PUBLISH', topic: name, denial: 'Publish-In' };
    case 'iot:Subscribe':
      return { call: 'OnClientAuthorize', type: 'SUBSCRIBE', topic: name, denial: 'Subscribe' };
    case 'iot:SendDirectMessage': {
      const topic = typeof context['iot:Topic'] === 'string' ? context['iot:Topic'] : '';
      const direct = formatDirectTopic({ targetClientId: name, topic });
      return { call: 'OnClientAuthorize', type: 'PUBLISH', topic: direct, denial: 'SendDirectMessage' };
    }
    case 'iot:Receive': {
      const { clientId: targetClientId = '' } = clientOf(item);
      const direct = formatDirectTopic({ targetClientId, topic: name });
      return { call: 'OnClientAuthorize', type: 'SUBSCRIBE', topic: direct, denial: 'Receive' };
    }
    case 'iot:RetainPublish':
    case 'iot:GetConnection':
    case 'iot:DeleteConnection':
    case 'iot:ListSubscriptions':
    case 'iot:GetRetainedMessage':
    case 'iot:ListRetainedMessages':
    case 'tightbeam:DescribeDevice':
    case 'tightbeam:ListDevices':
    case 'tightbeam:ExplainPolicy':
    case 'tightbeam:ViewEvents':
    case 'tightbeam:ViewStatus':
      return undefined;
  }
}
