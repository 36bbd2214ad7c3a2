import { ACTIONS } from './actions.js';
import { residualsAfter } from './residuals.js';
import type { PolicyDocument, Statement } from './document.js';
import { matchTokens, parsePattern, type PlainToken } from './pattern.js';
import type { Reporter } from './problems.js';

/**
 * Warns of statements that can never apply, of a Deny that brokers cannot enforce, and of filters that match more here
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
    return resources.some(({ tokens }) => residualsAfter(tokens, prefix)?.length !== 0);
  });
}

/** A Deny of iot:Publish too is enforced: it keeps the whole publish out. */
function isAboutRetainAlone({ effect, actions }: Statement): boolean {
  return effect === 'Deny' && actions.has('iot:RetainPublish') && !actions.has('iot:Publish');
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
    .map(({ source }) => parsePattern(source, { wildcards: true, variables: false }))
    .some(({ tokens }) => matchTokens(tokens as readonly PlainToken[], arn));
}
