/** Random policies and requests, decided here and by @cloud-copilot/iam-simulate: the effects must be the same. */
import { runSimulation } from '@cloud-copilot/iam-simulate';
import { PolicyAuthorizer } from '../src/policy/deciding/engine.js';
import { buildPolicySet } from '../src/policy/policy-set.js';
import { print, verdict } from './report.js';

const SCOPE = { partition: 'aws', region: 'us-east-1', accountId: '123456789012' };
const PREFIX = 'arn:aws:iot:us-east-1:123456789012:';
const REQUESTS = 50_000;
const PER_POLICY = 10;

type Random = (below: number) => number;

interface Request {
  readonly action: string;
  readonly resource: string;
  readonly username: string;
  readonly sourceIp: string;
  readonly secureTransport: boolean;
}

/**
 * @param args `--quick`: a twentieth of the requests; a number: the seed, printed so that a run can be repeated
 */
export async function run(args: string[]): Promise<void> {
  const seed = Number(args.find((arg) => /^\d+$/.test(arg)) ?? Date.now() % 2 ** 31);
  const random = generator(seed);
  const requests = args.includes('--quick') ? REQUESTS / 20 : REQUESTS;
  let different = 0;
  let allowed = 0;
  for (let made = 0; made < requests; made += PER_POLICY) {
    const statements = Array.from({ length: 1 + random(4) }, (_, index) => statementOf(random, index));
    const policy = { Version: '2012-10-17', Statement: statements };
    const ours = decider(policy);
    for (let count = 0; count < PER_POLICY; count++) {
      const request = requestOf(random);
      const [here, there] = [ours(request), await simulate(policy, request)];
      if (here === 'allow') allowed++;
      if (here === there) continue;
      if (different++ < 5) print(`${here} here, ${there} there: ${JSON.stringify({ request, policy })}`);
    }
  }
  print(`seed ${seed}: ${requests} decisions, ${allowed} of them allow`);
  verdict('decisions other than those of iam-simulate', different, 'at most', 0);
  verdict('decisions that allow, of a hundred', (100 * allowed) / requests, 'at least', 5);
}

/** A linear congruential generator (Numerical Recipes, section 7.1): the same cases for the same seed. */
function generator(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random(items.length)] as T;
}

function words(random: Random, letters: string, longest: number): string {
  return Array.from({ length: 1 + random(longest) }, () => pick(random, letters.split(''))).join('');
}

const ACTIONS = ['iot:Publish', 'iot:Receive'];
const ACTION_PATTERNS = [...ACTIONS, 'iot:*', 'iot:Pub*', '*', 'iot:?eceive', 'IOT:publish'];
const ADDRESSES = ['10.0.0.1', '10.0.1.1', '192.168.0.1'];

function statementOf(random: Random, index: number): object {
  const resources = Array.from({ length: 1 + random(2) }, () => resourceOf(random));
  const actions = Array.from({ length: 1 + random(2) }, () => pick(random, ACTION_PATTERNS));
  return {
    Sid: `S${index}`,
    Effect: random(3) === 0 ? 'Deny' : 'Allow',
    [random(6) === 0 ? 'NotAction' : 'Action']: actions,
    [random(6) === 0 ? 'NotResource' : 'Resource']: resources,
    ...(random(2) === 0 ? {} : { Condition: conditionOf(random) }),
  };
}

function resourceOf(random: Random): string {
  if (random(10) === 0) return '*';
  const scope = random(6) === 0 ? pick(random, ['arn:aws:iot:*:*:', 'arn:aws:iot:us-east-?:123456789012:']) : PREFIX;
  const variable = random(5) === 0 ? '${aws:username}' : '';
  return `${scope}topic/${words(random, 'ab/**?', 4)}${variable}`;
}

function conditionOf(random: Random): object {
  const operator = pick(random, [
    ...['StringEquals', 'StringNotEquals', 'StringLike', 'StringNotLike', 'StringEqualsIgnoreCase'],
    ...['StringEqualsIfExists', 'StringLikeIfExists', 'IpAddress', 'NotIpAddress', 'Bool', 'Null'],
  ]);
  if (operator.endsWith('IpAddress')) {
    return { [operator]: { 'aws:SourceIp': [pick(random, ['10.0.0.0/24', '10.0.0.0/16', '192.168.0.1'])] } };
  }
  if (operator === 'Bool') return { Bool: { 'aws:SecureTransport': pick(random, ['true', 'false']) } };
  if (operator === 'Null') return { Null: { 'aws:username': pick(random, ['true', 'false']) } };
  const values = Array.from({ length: 1 + random(2) }, () =>
    words(random, operator.includes('Like') ? 'ab*?' : 'abA', 2),
  );
  return { [operator]: { 'aws:username': values } };
}

function requestOf(random: Random): Request {
  return {
    action: pick(random, ACTIONS),
    resource: `topic/${words(random, 'ab/', 4)}`,
    username: words(random, 'ab', 2),
    sourceIp: pick(random, ADDRESSES),
    secureTransport: random(2) === 0,
  };
}

function decider(policy: object): (request: Request) => 'allow' | 'deny' {
  const principals = JSON.stringify({ principals: { p: { match: { username: '*' }, policies: ['p'] } } });
  const set = buildPolicySet({ policies: new Map([['p.json', JSON.stringify(policy)]]), principals }, SCOPE);
  const authorizer = new PolicyAuthorizer(() => set);
  return ({ action, resource, ...identity }) => {
    return authorizer.decide({ protocol: 'MQTT', ...identity }, action as 'iot:Publish', resource).effect;
  };
}

async function simulate(policy: object, request: Request): Promise<'allow' | 'deny'> {
  const { action, resource, username, sourceIp, secureTransport } = request;
  const result = await runSimulation(
    {
      request: {
        principal: `arn:aws:iam::123456789012:user/${username}`,
        action,
        resource: { resource: `${PREFIX}${resource}`, accountId: '123456789012' },
        contextVariables: {
          'aws:username': username,
          'aws:SourceIp': sourceIp,
          'aws:SecureTransport': String(secureTransport),
        },
      },
      identityPolicies: [{ name: 'p', policy }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  );
  if (result.resultType !== 'single') throw new Error(JSON.stringify(result).slice(0, 2000));
  return result.result.analysis.result === 'Allowed' ? 'allow' : 'deny';
}
