/** Requests that are spelt out, and what the engine answers to them. */
import type { Identity } from '../../identity/identity.js';
import { typeOf } from '../actions.js';
import type { Action, Decision } from '../authorizer.js';
import { CONNECT_UNTOLD, RequestContext } from '../conditions/context.js';
import { decideName, decideResource } from '../deciding/decision.js';
import { matchTokens } from '../matching/pattern.js';
import type { CompiledPrincipal, PolicySet } from '../policy-set.js';
import type { Example } from './exploring.js';
import type { Form, Side } from './forms.js';
import { fill, identityOf, type Situation } from './situations.js';

/** A request that can be made: `policy explain` takes it as it is. */
export interface SampleRequest {
  readonly identity: Identity;
  readonly action: Action;
  /** Client ID, topic or filter; of actions about any kind of resource with its kind; `*` for actions without. */
  readonly name: string;
  /** Values of context keys by lower-case key; of a direct message the topic is among them. */
  readonly context: ReadonlyMap<string, string | readonly string[]>;
}

/** The request of an example. */
export function requestOf(action: Action, situation: Situation, form: Form, example: Example): SampleRequest {
  const [name = '', topic] = example.texts;
  const words = form.self === undefined ? example.words : example.words.with(form.self, name);
  const given = [...situation.given].map(([key, symbols]) => [key, fill(symbols, words)] as const);
  return {
    identity: identityOf(situation, words),
    action,
    name,
    context: new Map(topic === undefined ? given : [...given, ['iot:topic', topic]]),
  };
}

/** Without the ARN's prefix: `client/lock-17`. */
export function resourceOf({ action, name }: Pick<SampleRequest, 'action' | 'name'>): string {
  const type = typeOf(action);
  return type === undefined ? '*' : `${type}${name}`;
}

/** The request as JSON has it. */
export function requestToJson(request: SampleRequest): object {
  const { identity, action, context } = request;
  return { identity, action, resource: resourceOf(request), context: Object.fromEntries(context) };
}

export function arnOf(set: PolicySet, { action, name }: Pick<SampleRequest, 'action' | 'name'>): string {
  return typeOf(action) === undefined ? '*' : set.arnOf(action, name);
}

/** The request with those facts; the address is one of the identity. */
export function withFacts(
  request: SampleRequest,
  facts: ReadonlyMap<string, string | readonly string[]>,
): SampleRequest {
  const sourceIp = facts.get('aws:sourceip');
  return {
    ...request,
    identity: { ...request.identity, ...(typeof sourceIp === 'string' && { sourceIp }) },
    context: new Map([...request.context, ...[...facts].filter(([key]) => key !== 'aws:sourceip')]),
  };
}

export function contextFor(request: SampleRequest, found: CompiledPrincipal | undefined, now: number): RequestContext {
  return new RequestContext(request.identity, () => now, found?.principal, {
    ...(request.action === 'iot:Connect' && CONNECT_UNTOLD),
    overrides: request.context,
  });
}

/** What the engine answers with the policies of the side. */
export function answer({ set, found }: Side, request: SampleRequest, now: number): Decision {
  const asked = { set, found, context: contextFor(request, found, now) };
  const { action, name } = request;
  return typeOf(action) === undefined ? decideResource(asked, action, '*') : decideName(asked, action, name);
}

/** Whether the patterns match as the exploration took them to: the text of no hole is found in another place by chance. */
export function isAsExplored(form: Form, example: Example): boolean {
  const { fields, self } = form;
  const words = self === undefined ? example.words : example.words.with(self, example.texts[0] ?? '');
  if (self === undefined && new Set(words).size < words.length) return false;
  return fields.every(({ patterns }, field) => {
    const text = example.texts[field] ?? '';
    const matched = new Set(example.matched[field]);
    return patterns.every((pattern, index) => {
      if (!pattern.some((piece) => typeof piece === 'object')) return true;
      const filled = pattern.map((piece) => (typeof piece === 'object' ? (words[piece.hole] ?? '') : piece));
      return matchTokens(filled, text) === matched.has(index);
    });
  });
}
