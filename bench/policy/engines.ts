import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { runSimulation } from '@cloud-copilot/iam-simulate';
import { newEnforcer, newModel } from 'casbin';
import { PolicyAuthorizer } from '../../src/policy/deciding/engine.js';
import { buildPolicySet } from '../../src/policy/policy-set.js';
import { USER, type BenchRequest, type BenchStatement } from './workload.js';

export type Effect = 'allow' | 'deny';
/** Decides one request. Everything that can be prepared has been. */
export type Decide = (request: BenchRequest) => Effect | Promise<Effect>;
export interface Engine {
  readonly name: string;
  prepare(statements: readonly BenchStatement[]): Decide | Promise<Decide>;
}

/** Ours, by the doors that the transports use: the principal is looked up and a whole Decision made each time. */
export const tightbeam: Engine = {
  name: 'tightbeam',
  prepare(statements) {
    const scope = { partition: 'aws', region: 'us-east-1', accountId: '123456789012' };
    const policies = new Map([['p.json', JSON.stringify({ Version: '2012-10-17', Statement: statements })]]);
    const principals = JSON.stringify({ principals: { device: { match: { username: USER }, policies: ['p'] } } });
    const set = buildPolicySet({ policies, principals }, scope);
    const authorizer = new PolicyAuthorizer(() => set);
    const identity = { protocol: 'MQTT', username: USER } as const;
    return ({ action, name }) => {
      if (action === 'iot:Publish') return authorizer.publish(identity, name).effect;
      if (action === 'iot:Receive') return authorizer.receiveDirectMessage(identity, name).effect;
      return authorizer.decide(identity, action, `topicfilter/${name}`).effect;
    };
  },
};

/** The obvious loop: every statement in turn, its pattern taken apart beforehand. */
export const plainLoop: Engine = {
  name: 'plain loop',
  prepare(statements) {
    const compiled = statements.map(({ Effect, Action, Resource, Condition }) => ({
      denies: Effect === 'Deny',
      action: Action,
      matches: wildcard(Resource.replace('${aws:username}', USER)),
      condition: Condition && wildcard(Condition.StringLike['aws:username']),
    }));
    return ({ action, arn }) => {
      let effect: Effect = 'deny';
      for (const statement of compiled) {
        if (statement.action !== action || !statement.matches(arn)) continue;
        if (statement.condition?.(USER) === false) continue;
        if (statement.denies) return 'deny';
        effect = 'allow';
      }
      return effect;
    };
  },
};

/** `*` only: the literals between must follow each other, first and last anchored. */
function wildcard(pattern: string): (text: string) => boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return (text) => text === first;
  return (text) => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false;
    let position = first.length;
    for (const literal of rest) {
      const found = text.indexOf(literal, position);
      if (found < 0) return false;
      position = found + literal.length;
    }
    return text.length - last.length >= position;
  };
}

export const iamSimulate: Engine = {
  name: 'iam-simulate',
  prepare(statements) {
    const policy = { Version: '2012-10-17', Statement: statements };
    return async ({ action, arn }) => {
      const result = await runSimulation(
        {
          request: {
            principal: `arn:aws:iam::123456789012:user/${USER}`,
            action,
            resource: { resource: arn, accountId: '123456789012' },
            contextVariables: { 'aws:username': USER },
          },
          identityPolicies: [{ name: 'p', policy }],
          serviceControlPolicies: [],
          resourceControlPolicies: [],
        },
        {},
      );
      if (result.resultType !== 'single') throw new Error(JSON.stringify(result).slice(0, 2000));
      return result.result.analysis.result === 'Allowed' ? 'allow' : 'deny';
    };
  },
};

/** Cedar has no variables in patterns: the user is written into the policies, which is to its advantage. */
export const cedar: Engine = {
  name: 'cedar-wasm',
  prepare(statements) {
    // Node 20's optimising compiler crashes on inlined calls into this module.
    setFlagsFromString('--no-turbo-inline-js-wasm-calls');
    const require = createRequire(import.meta.url);
    const { preparsePolicySet, statefulIsAuthorized } =
      require('@cedar-policy/cedar-wasm/nodejs') as typeof import('@cedar-policy/cedar-wasm/nodejs');
    const policies = statements.map(({ Sid, Effect, Action, Resource, Condition }) => {
      const like = `context.resource like ${JSON.stringify(Resource.replace('${aws:username}', USER))}`;
      const when = Condition ? ` && context.user like ${JSON.stringify(Condition.StringLike['aws:username'])}` : '';
      const effect = Effect === 'Allow' ? 'permit' : 'forbid';
      return [Sid, `${effect}(principal, action == Action::"${Action}", resource) when { ${like}${when} };`] as const;
    });
    const id = `bench-${statements.length}`;
    const parsed = preparsePolicySet(id, { staticPolicies: Object.fromEntries(policies) });
    if (parsed.type === 'failure') throw new Error(JSON.stringify(parsed.errors.slice(0, 2)));
    return ({ action, arn }) => {
      const answer = statefulIsAuthorized({
        principal: { type: 'User', id: USER },
        action: { type: 'Action', id: action },
        resource: { type: 'Resource', id: 'r' },
        context: { resource: arn, user: USER },
        preparsedPolicySetId: id,
        entities: [],
      });
      if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors));
      return answer.response.decision;
    };
  },
};

/** Casbin with an exact wildcard function: its own keyMatch is faster and decides differently. */
export const casbin: Engine = {
  name: 'casbin',
  async prepare(statements) {
    const model = newModel(`
[request_definition]
r = act, obj, user
[policy_definition]
p = act, obj, user, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.act == p.act && wild(r.obj, p.obj) && wild(r.user, p.user)
`);
    const enforcer = await newEnforcer(model);
    const compiled = new Map<string, (text: string) => boolean>();
    const matcher = (pattern: string): ((text: string) => boolean) => {
      const known = compiled.get(pattern) ?? wildcard(pattern);
      compiled.set(pattern, known);
      return known;
    };
    await enforcer.addFunction('wild', (text: string, pattern: string) => matcher(pattern)(text));
    await enforcer.addPolicies(
      statements.map(({ Effect, Action, Resource, Condition }) => [
        Action,
        Resource.replace('${aws:username}', USER),
        Condition?.StringLike['aws:username'] ?? '*',
        Effect.toLowerCase(),
      ]),
    );
    return ({ action, arn }) => (enforcer.enforceSync(action, arn, USER) ? 'allow' : 'deny');
  },
};
