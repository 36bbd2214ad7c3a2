import { ACTIONS, resourcesOf, typeOf } from '../actions.js';
import type { PolicyDocument, Statement } from './document.js';
import { ANY, matchTokens, type PlainToken, type Token } from '../matching/pattern.js';
import type { Reporter } from './problems.js';
import { parseResource, residualsOf, scopeEnd } from '../matching/resource.js';

/**
 * Warns of statements that can never apply, of wildcards of MQTT where they are none, of a Deny that brokers by
 * themselves cannot enforce, of a Connect that binds no client ID, and of filters that match more here than in AWS IoT Core.
 * @param arnPrefix what every resource of a request begins with
 */
export function lintPolicy(document: PolicyDocument, arnPrefix: string, report: Reporter): void {
  const foreign: Statement[] = [];
  for (const statement of document.statements) {
    const at = report.at('Statement').at(statement.index).named(statement.id);
    if (isDead(statement, arnPrefix)) {
      if (isForeign(statement, arnPrefix)) foreign.push(statement);
      else at.warn(`the statement never applies: ${resourcesTaken(statement)}`);
    }
    if (hasFilterAsTopic(statement)) {
      at.warn('+ and # are characters in a topic/ resource and stand for nothing else: * is any text, ? any character');
    }
    if (isAboutRetainAlone(statement)) {
      at.warn(
        'without the plugin or the door brokers do not tell whether a publish is to be retained: there this Deny of iot:RetainPublish keeps nobody out',
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
  warnOfForeign(foreign, document.statements.length, arnPrefix, report);
}

/** Statements that are named where many are about another account: which ones, the file shows. */
const NAMED = 3;

/** All of a file in one line: most often it is the whole file. */
function warnOfForeign(foreign: readonly Statement[], all: number, arnPrefix: string, report: Reporter): void {
  if (foreign.length === 0) return;
  const names = foreign.slice(0, NAMED).map(({ id }) => id);
  const which = `${names.join(', ')}${foreign.length > NAMED ? ', ...' : ''}`;
  const found = foreign[0]?.resources[0]?.source ?? '';
  report
    .at('Statement')
    .warn(
      `${foreign.length} of ${all} statements (${which}) never apply: the service stands for ${arnPrefix}, and they are about another account or region, as ${found}`,
    );
}

/** No resource is of the partition, service, region and account that the service stands for. */
function isForeign({ resources, exceptResources }: Statement, arnPrefix: string): boolean {
  return !exceptResources && resources.every((resource) => scopeEnd(resource, arnPrefix) < 0);
}

/** Which resources the actions of the statement are about. */
function resourcesTaken({ actions }: Statement): string {
  if (actions.size === 0) return 'no action that is decided here is one of its actions';
  const taken = [...actions].map((action) => `${action} is about ${resourcesOf(action)}`);
  return `${taken.join(', ')}, and it has none that matches one`;
}

/** A topic with a wildcard of MQTT, in a statement about actions on topics. */
function hasFilterAsTopic({ actions, resources }: Statement): boolean {
  if (![...actions].some((action) => ACTIONS[action] === 'topic')) return false;
  return resources.some(({ source }) => /:topic\/(?:.*\/)?[+#](?:\/|$)/.test(source));
}

function isDead({ actions, resources, exceptResources }: Statement, arnPrefix: string): boolean {
  if (exceptResources) return actions.size === 0;
  return ![...actions].some((action) => {
    const type = typeOf(action);
    const prefix = type === undefined ? '*' : `${arnPrefix}${type}`;
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
