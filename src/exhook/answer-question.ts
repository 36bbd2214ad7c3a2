import { mayConnect, mayKeepWill, type ConnectTerms } from '../clients/connect.js';
import type { PresentedCredentials } from '../identity/authenticator.js';
import { CertificateReader } from '../identity/certificates.js';
import type { Identity } from '../identity/identity.js';
import type { HookSpan } from '../observing/tracing.js';
import { ALLOW, answer, authorize, type Asker, type CallContext } from './answers.js';
import { credentialsOf, identityOf } from './normalise.js';
import type { Question } from './question.js';
import type { ClientInfo, ValuedResponse } from './wire.js';

/** The plugin asks about the will next, and lets the client do nothing before. */
const ALLOW_UNLESS_WILL: ValuedResponse = Object.freeze({ type: 'CONTINUE', bool_result: true });

/** Who the client is has been proved, and it may not. */
const DENY_KNOWN: ValuedResponse = Object.freeze({ type: 'CONTINUE', bool_result: false });

const certificates = new CertificateReader();

/** Answers what the plugin asks with the facts of a connection. */
export async function answerQuestion(
  question: Question,
  asker: Asker,
  context: CallContext,
  span: HookSpan,
): Promise<ValuedResponse> {
  const { clientinfo, askedBy } = asker;
  const { traceId } = span;
  const { secureTransport } = question;
  switch (question.ask) {
    case 'connect': {
      const claim = { ...withIssue(credentialsOf(clientinfo), question), askedBy };
      const terms = termsOf(question, 'untold');
      const verdict = await mayConnect({ claim, terms, secureTransport, traceId }, context);
      const answered = answer(verdict, span);
      // The plugin tells of it (`connect_failed`); older ones take every such answer for a no.
      if (!verdict.allowed && verdict.provenIdentity !== undefined) return DENY_KNOWN;
      return answered === ALLOW && verdict.allowed && verdict.onApproval ? ALLOW_UNLESS_WILL : answered;
    }
    case 'will': {
      const { will } = question;
      const terms = termsOf(question, will && { topicName: will.topic, retain: will.retain });
      return answer(mayKeepWill({ identity: identityIn(question, clientinfo), terms, traceId }, context), span);
    }
    case 'publish':
    case 'subscribe': {
      const { topic = '', qos, retain } = question;
      const type = question.ask === 'publish' ? 'PUBLISH' : 'SUBSCRIBE';
      const identity = identityIn(question, clientinfo);
      return authorize({ type, topic, identity, qos, retain }, asker, context, span);
    }
    default:
      return question.ask satisfies never;
  }
}

/** Facts that are not told are not there: an attribute that nobody tells is no reason to let a client in. */
function termsOf({ persistent, serverName }: Question, will: ConnectTerms['will']): ConnectTerms | undefined {
  if (persistent === undefined) return undefined;
  return {
    persistent,
    will,
    serverName: serverName ?? undefined,
    ...(serverName === undefined && { serverNameUntold: true }),
  };
}

function identityIn(question: Question, clientinfo: ClientInfo): Identity {
  const { secureTransport } = question;
  return {
    ...withIssue(identityOf(clientinfo), question),
    ...(secureTransport === undefined ? {} : { secureTransport }),
  };
}

/** Subject and common name stay ExHook's, by which principals know the client. */
function withIssue<Told extends Identity | PresentedCredentials>(told: Told, { certificate }: Question): Told {
  if (told.certificate === undefined || certificate === undefined) return told;
  return { ...told, certificate: { ...told.certificate, ...certificates.issueOf(certificate) } };
}
