import { ACTIONS } from '../actions.js';
import type { PolicyDocument, Statement } from './document.js';
import { ANY, matchTokens, type PlainToken, type Token } from '../matching/pattern.js';
import type { Reporter } from './problems.js';
import { parseResource, residualsOf, scopeEnd } from '../matching/resource.js';

/**
 * Warns of statements that can never apply, of a Deny that brokers cannot enforce, of a Connect that binds no client ID,
 * and of filters that match more here
 * than in AWS IoT Core.
 * @param arnPrefix what every resource of a request begins with
 */
export function lintPolicy(document: PolicyDocument, arnPrefix: string, report: Reporter): void {
  for (const statement of document.statements) {
    const at = report.at('Statement').at(statement.index).named(statement.id);
    if (isDead(statement, arnPrefix)) {
      at.warn(`the statement never applies: no resource of its actions begins with ${arnPrefix} and matches`);
    }
    if (isAboutRetainAlone(statement)) {
      at.warn(
        'brokers do not tell whether a publish is to be retained: over MQTT this Deny of iot:RetainPublish keeps nobody out',
      );
    }
    if (takesAnyClientId(statement, arnPrefix)) {
      at.warn(
        'it allows every client ID, so a client can take that of another device and get its direct messages: bind it, for instance by client/${iot:Connection.Thing.ThingName} or client/${aws:username}',
      );
    }
    for (const filter of parentsNotReceived(statement, document)) {
      at.warn(`${filter}/# also matches ${filter} here, unlike in AWS IoT Core, and no iot:Receive allows that topic`);
    }
  }
}

function isDead({ actions, resources, exceptResources }: Statement, arnPrefix: string): boolean {
  if (exceptResources) return actions.size === 0;
  return ![...actions].some((action) => {
    const kind = ACTIONS[action];
    const prefix = kind === undefined ? '*' : `${arnPrefix}${kind}/`;
    return resources.some((resource) => residualsOf(resource, prefix)?.length !== 0);
  });
}

/** A Deny of iot:Publish too is enforced: it keeps the whole publish out. */
function isAboutRetainAlone({ effect, actions }: Statement): boolean {
  return effect === 'Deny' && actions.has('iot:RetainPublish') && !actions.has('iot:Publish');
}

/** Conditions by which only client IDs are let in that belong to the one who connects. */
const BINDS_CLIENT_ID = /^iot:(?:ClientId|Connection\.Thing\..+)$/i;

function takesAnyClientId(statement: Statement, arnPrefix: string): boolean {
  const { effect, actions, resources, exceptResources, conditions } = statement;
  if (effect !== 'Allow' || !actions.has('iot:Connect')) return false;
  if (conditions.some(({ key }) => BINDS_CLIENT_ID.test(key.name))) return false;
  if (exceptResources) return true;
  const any = (tokens: readonly Token[]): boolean => tokens.length === 1 && tokens[0] === ANY;
  return resources.some((resource) => residualsOf(resource, `${arnPrefix}client/`)?.some(any));
}

/** Topics that stand before `/#` in what may be subscribed to, where what is below may be received and they may not. */
function parentsNotReceived({ effect, actions, resources }: Statement, document: PolicyDocument): readonly string[] {
  if (effect !== 'Allow' || !actions.has('iot:Subscribe')) return [];
  return resources.flatMap(({ source }) => {
    const [, before, topic] = /^(.*:)topicfilter\/(.+)\/#$/.exec(source) ?? [];
    if (before === undefined || topic === undefined) return [];
    const below = mayReceive(document, `${before}topic/${topic}/below`);
    return below && !mayReceive(document, `${before}topic/${topic}`) ? [topic] : [];
  });
}

/** By the text alone: variables stand for themselves. */
function mayReceive(document: PolicyDocument, arn: string): boolean {
  return document.statements
    .filter(
      ({ effect, actions, exceptResources }) => effect === 'Allow' && actions.has('iot:Receive') && !exceptResources,
    )
    .flatMap(({ resources }) => resources)
    .map(({ source }) => parseResource(source, false))
    .some((resource) => {
      const from = scopeEnd(resource, arn);
      return from >= 0 && matchTokens(resource.tokens as readonly PlainToken[], arn, from);
    });
}
