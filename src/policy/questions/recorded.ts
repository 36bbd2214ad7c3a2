import type { Identity } from '../../identity/identity.js';
import { actionNamed } from '../actions.js';
import type { Action, Decision } from '../authorizer.js';
import type { ExtraFacts } from '../conditions/context.js';
import { realTopic } from '../matching/topics.js';

/** A decision as a line of the log tells it. */
export interface RecordedDecision {
  readonly traceId: string;
  /** When, in milliseconds since 1970; absent where the line does not tell. */
  readonly at: number | undefined;
  readonly effect: Decision['effect'];
  readonly cause: string | undefined;
  /** Denied by policies in shadow: it went on all the same. */
  readonly shadow: boolean;
  readonly principalId: string | undefined;
  readonly identity: Identity;
  readonly action: Action;
  /** ARN. */
  readonly resource: string;
  readonly facts: ExtraFacts;
  readonly policy: string | undefined;
  readonly statement: string | undefined;
  readonly policyVersion: string | undefined;
  /** Of a subscription the filter, which the decision may be about only in part. */
  readonly filter: string | undefined;
  /** The message was to be retained. */
  readonly retain: boolean;
  /** Of a direct message that was delivered: who received it, and on which topic. */
  readonly delivered: { readonly clientId: string; readonly topic: string } | undefined;
}

type Line = Readonly<Record<string, unknown>>;

/**
 * The decision of a line; nothing where the line tells of none.
 * @param prefix what every resource begins with, for decisions whose line does not say it
 */
export function recordedDecision(text: string, prefix: string): RecordedDecision | undefined {
  const line = parse(text);
  if (line === undefined) return undefined;
  const told = textOf(line, 'action');
  const asked =
    told === undefined ? allowedBy(line, prefix) : { action: actionNamed(told), resource: textOf(line, 'resource') };
  if (asked?.action === undefined || asked.resource === undefined) return undefined;
  const { action, resource } = asked;
  const eventType = textOf(line, 'eventType');
  // It was made about the receiver, of whom the line `Receive` of the same trace tells everything.
  if (eventType === 'SendDirectMessage' && textOf(line, 'reason') === 'RECEIVER_NOT_AUTHORIZED') return undefined;
  const at = Date.parse(textOf(line, 'timestamp') ?? '');
  const topicName = textOf(line, 'topicName');
  const target = textOf(line, 'targetClientId');
  const isSubscription = eventType === 'Subscribe' || textOf(line, 'reason') === 'SUBSCRIBE_NOT_AUTHORIZED';
  const isDelivered = eventType === 'SendDirectMessage' && line['status'] === 'Success';
  return {
    traceId: textOf(line, 'traceId') ?? '',
    at: Number.isNaN(at) ? undefined : at,
    effect: told === undefined ? 'allow' : 'deny',
    cause: textOf(line, 'cause'),
    shadow: eventType === 'WouldDeny',
    principalId: textOf(line, 'principalId'),
    identity: identityOf(line),
    action,
    resource,
    facts: factsOf(line, action),
    policy: textOf(line, 'policy'),
    statement: textOf(line, 'statement'),
    policyVersion: textOf(line, 'policyVersion'),
    filter: isSubscription ? topicName : undefined,
    retain: line['retain'] === true || action === 'iot:RetainPublish',
    delivered:
      isDelivered && target !== undefined && topicName !== undefined
        ? { clientId: target, topic: topicName }
        : undefined,
  };
}

/** What was asked, of an allow: its line has the policy, and the rest by its type. */
function allowedBy(line: Line, prefix: string): { action: Action; resource: string } | undefined {
  if (textOf(line, 'policy') === undefined) return undefined;
  const [client, target, topic] = [textOf(line, 'clientId'), textOf(line, 'targetClientId'), textOf(line, 'topicName')];
  switch (textOf(line, 'eventType') ?? '') {
    case 'Connect':
      return client === undefined ? undefined : { action: 'iot:Connect', resource: `${prefix}client/${client}` };
    case 'Subscribe':
      return topic === undefined ? undefined : { action: 'iot:Subscribe', resource: `${prefix}topicfilter/${topic}` };
    case 'Publish-In':
      return topic === undefined
        ? undefined
        : { action: 'iot:Publish', resource: `${prefix}topic/${realTopic(topic)}` };
    case 'SendDirectMessage':
      return target === undefined
        ? undefined
        : { action: 'iot:SendDirectMessage', resource: `${prefix}client/${target}` };
    default:
      return undefined;
  }
}

function identityOf(line: Line): Identity {
  const given = <Name extends string>(name: Name, value: unknown): Partial<Record<Name, string>> =>
    typeof value === 'string' ? ({ [name]: value } as Record<Name, string>) : {};
  const [commonName, distinguishedName] = [textOf(line, 'commonName'), textOf(line, 'distinguishedName')];
  const { secureTransport } = line;
  return {
    protocol: line['protocol'] === 'HTTP' ? 'HTTP' : 'MQTT',
    // Of an HTTP caller it is the client that the request was about.
    ...(line['protocol'] === 'MQTT' && given('clientId', line['clientId'])),
    ...given('username', line['username']),
    ...given('accessKeyId', line['accessKeyId']),
    ...given('jwtSubject', line['jwtSubject']),
    ...given('sourceIp', line['sourceIp']),
    ...((commonName ?? distinguishedName) !== undefined && {
      certificate: {
        commonName: commonName ?? '',
        ...given('distinguishedName', distinguishedName),
        ...given('fingerprint', line['fingerprint']),
      },
    }),
    ...(typeof secureTransport === 'boolean' && { secureTransport }),
  };
}

function factsOf(line: Line, action: Action): ExtraFacts {
  const attributes = line['connectAttributes'];
  const topic = textOf(line, 'topicName');
  const [lastWillTopic, domainName] = [textOf(line, 'lastWillTopic'), textOf(line, 'domainName')];
  if (action === 'iot:SendDirectMessage') return topic === undefined ? {} : { topic };
  if (action !== 'iot:Connect') return {};
  if (!Array.isArray(attributes)) return { connectUntold: true };
  return {
    connectAttributes: attributes.filter((attribute) => typeof attribute === 'string'),
    ...(lastWillTopic !== undefined && { lastWillTopic }),
    ...(domainName !== undefined && { domainName }),
  };
}

function textOf(line: Line, name: string): string | undefined {
  const value = line[name];
  return typeof value === 'string' ? value : undefined;
}

/** Lines of other programs may stand between those of the service. */
function parse(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Line) : undefined;
  } catch {
    return undefined;
  }
}
