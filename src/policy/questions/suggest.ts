import type { Identity } from '../../identity/identity.js';
import type { Action } from '../authorizer.js';
import { realFilter } from '../matching/topics.js';
import { thingOf, type ThingTemplate } from '../principals/thing.js';
import type { RecordedDecision } from './recorded.js';
import { isWide, isWithin, STAR } from './within.js';

/** A policy that allows what was recorded, in the form of its file. */
export interface SuggestedPolicy {
  readonly Version: '2012-10-17';
  readonly Statement: readonly SuggestedStatement[];
}

export interface SuggestedStatement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: Action;
  readonly Resource: readonly string[];
  readonly Condition?: { readonly StringEquals: { readonly 'iot:Topic': readonly string[] } };
}

/** Stands for `*` where patterns are compared: no topic or client ID has it. */

/** What one principal was recorded to do: resources without ARN prefix, as policies write them. */
class Doings {
  readonly resources = new Map<Action, Set<string>>();
  /** Topics by receiver. */
  readonly sent = new Map<string, Set<string>>();

  add(action: Action, resource: string): void {
    const known = this.resources.get(action);
    if (known === undefined) this.resources.set(action, new Set([resource]));
    else known.add(resource);
  }

  send(receiver: string, topic: string): void {
    const known = this.sent.get(receiver);
    if (known === undefined) this.sent.set(receiver, new Set([topic]));
    else known.add(topic);
  }
}

/**
 * Collects recorded decisions, and makes of them the least that allows what went on: each resource stands for a recorded
 * request, none lies within another, and a `*` stands only where a recorded filter had a wildcard. A level of a topic that is
 * the client's own ID or username becomes the policy variable, so that one device speaks for all of its kind. A client ID of
 * a connection becomes the name of the thing or the username, which were verified, and never `${iot:ClientId}`, which would
 * allow any.
 */
export class Suggestions {
  readonly #prefix: string;
  readonly #thingOf: (principal: string) => ThingTemplate | undefined;
  readonly #doings = new Map<string, Doings>();
  /** Who a client ID is, for who received a direct message. */
  readonly #clients = new Map<string, { readonly principal: string; readonly identity: Identity }>();
  readonly #received = new Map<string, Set<string>>();

  /**
   * @param prefix what every ARN begins with
   * @param thingOf the thing of a principal of that name, where there is such
   */
  constructor(prefix: string, thingOf: (principal: string) => ThingTemplate | undefined) {
    this.#prefix = prefix;
    this.#thingOf = thingOf;
  }

  /** Of who has no name, and of what was refused, nothing can be suggested. */
  add(recorded: RecordedDecision): void {
    const { principalId: principal, identity, effect, shadow, delivered } = recorded;
    if (principal === undefined || (effect === 'deny' && !shadow)) return;
    if (identity.clientId !== undefined && recorded.action === 'iot:Connect') {
      this.#clients.set(identity.clientId, { principal, identity });
    }
    const doings = this.#of(principal);
    for (const [action, resource] of this.#asked(recorded)) doings.add(action, resource);
    if (recorded.action === 'iot:SendDirectMessage') {
      const target = recorded.resource.slice(`${this.#prefix}client/`.length);
      doings.send(escaped(target), recorded.facts.topic ?? '');
    }
    if (delivered !== undefined) {
      const topics = this.#received.get(delivered.clientId);
      if (topics === undefined) this.#received.set(delivered.clientId, new Set([delivered.topic]));
      else topics.add(delivered.topic);
    }
  }

  /** By principal. */
  policies(): ReadonlyMap<string, SuggestedPolicy> {
    for (const [clientId, topics] of this.#received) {
      const client = this.#clients.get(clientId);
      if (client === undefined) continue;
      for (const topic of topics) this.#of(client.principal).add('iot:Receive', `topic/${own(topic, client.identity)}`);
    }
    const names = [...this.#doings.keys()].sort();
    return new Map(names.map((name) => [name, this.#policyOf(this.#of(name))] as const));
  }

  #of(principal: string): Doings {
    const known = this.#doings.get(principal) ?? new Doings();
    this.#doings.set(principal, known);
    return known;
  }

  /** Everything that must be allowed for the request to go on. */
  #asked(recorded: RecordedDecision): [Action, string][] {
    const { action, resource, identity, filter, retain, principalId } = recorded;
    if (filter !== undefined) {
      const name = realFilter(filter);
      const topics = topicsOf(name).map((topic): [Action, string] => ['iot:Receive', `topic/${own(topic, identity)}`]);
      return [['iot:Subscribe', `topicfilter/${own(name, identity)}`], ...topics];
    }
    if (!resource.startsWith(this.#prefix)) return resource === '*' ? [[action, '*']] : [];
    const [kind = '', ...rest] = resource.slice(this.#prefix.length).split('/');
    const name = rest.join('/');
    if (action === 'iot:SendDirectMessage') return [];
    if (action === 'iot:Connect') return [[action, `client/${this.#bound(name, identity, principalId ?? '')}`]];
    const topic = `${kind}/${kind === 'topic' ? own(name, identity) : escaped(name)}`;
    return retain
      ? [
          ['iot:Publish', topic],
          ['iot:RetainPublish', topic],
        ]
      : [[action, topic]];
  }

  /** The client ID by what was verified, where that is the same. */
  #bound(clientId: string, identity: Identity, principal: string): string {
    const template = this.#thingOf(principal);
    if (template !== undefined && thingOf(template, identity)?.name === clientId)
      return '${iot:Connection.Thing.ThingName}';
    return clientId === identity.username ? '${aws:username}' : escaped(clientId);
  }

  #policyOf({ resources, sent }: Doings): SuggestedPolicy {
    const statements = [...resources]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([action, found]): SuggestedStatement => ({
        Sid: action.slice('iot:'.length),
        Effect: 'Allow',
        Action: action,
        Resource: this.#arns(widest([...found])),
      }));
    return { Version: '2012-10-17', Statement: [...statements, ...this.#sending(sent)] };
  }

  /** One statement for all receivers that were sent the same topics: any more would allow what nobody has sent. */
  #sending(sent: ReadonlyMap<string, ReadonlySet<string>>): SuggestedStatement[] {
    const receiversBy = new Map<string, string[]>();
    for (const [receiver, topics] of sent) {
      const key = JSON.stringify([...topics].sort());
      receiversBy.set(key, [...(receiversBy.get(key) ?? []), `client/${receiver}`]);
    }
    return [...receiversBy].sort().map(([key, receivers], index) => ({
      Sid: `SendDirectMessage${index + 1}`,
      Effect: 'Allow',
      Action: 'iot:SendDirectMessage',
      Resource: this.#arns(receivers.sort()),
      Condition: { StringEquals: { 'iot:Topic': (JSON.parse(key) as string[]).map(escaped) } },
    }));
  }

  #arns(resources: readonly string[]): string[] {
    return resources.map((resource) => (resource === '*' ? '*' : this.#prefix + resource));
  }
}

/** Levels that are the client's own become variables; everything else stands for itself, but for STAR. */
function own(name: string, { clientId, username }: Identity): string {
  return name
    .split('/')
    .map((level) => {
      if (level === '') return level;
      if (level === clientId) return '${iot:ClientId}';
      return level === username ? '${aws:username}' : escaped(level);
    })
    .join('/');
}

/** What would be a wildcard or a variable in a policy is written as the character that it is. */
function escaped(text: string): string {
  return text.replace(/[*?$]/g, (character) => `\${${character}}`).replaceAll(STAR, '*');
}

/** The topics that a filter matches: `+` and `#` as the wildcard that policies have, which is `+` and more. */
function topicsOf(filter: string): string[] {
  const levels = filter.split('/').map((level) => (level === '+' || level === '#' ? STAR : level));
  const whole = levels.join('/');
  // `a/#` matches `a` too (MQTT 5, section 4.7.1.2).
  return filter.endsWith('/#') ? [levels.slice(0, -1).join('/'), whole] : [whole];
}

/** Without those that lie within another. */
function widest(resources: readonly string[]): string[] {
  const sorted = resources.toSorted();
  const wide = sorted.filter((resource) => isWide(resource));
  return sorted.filter((resource) => !wide.some((other) => other !== resource && isWithin(resource, other)));
}
