/** What a decision about one subscription costs where the policies are ordinary, and where they are made to be slow. */
import { PolicyAuthorizer } from '../../src/policy/deciding/engine.js';
import { buildPolicySet } from '../../src/policy/policy-set.js';

const ARN = 'arn:aws:iot:us-east-1:123456789012:';
const SCOPE = { partition: 'aws', region: 'us-east-1', accountId: '123456789012' };
const WHO = { protocol: 'MQTT', username: 'u', clientId: 'c' } as const;

interface Subscription {
  readonly filter: string;
  readonly statements: readonly object[];
}

const letter = (index: number): string => String.fromCharCode('a'.charCodeAt(0) + (index % 26));

const ORDINARY: Subscription = {
  filter: 'state/c/#',
  statements: [
    {
      Effect: 'Allow',
      Action: ['iot:Subscribe', 'iot:Receive'],
      Resource: [
        'topicfilter/state/${iot:ClientId}/*',
        'topic/state/${iot:ClientId}',
        'topic/state/${iot:ClientId}/*',
      ].map((name) => `${ARN}${name}`),
    },
  ],
};
const HOSTILE: readonly Subscription[] = [
  hostile('#', 12, (at) => `*${letter(at % 3)}${'?'.repeat(20 + at)}never/${'z'.repeat(200)}`),
  hostile('+/+/+/+/+', 40, (at) => `*${letter(at)}*${letter(at * 7)}*${at}zz`),
  hostile('+/+/+/+/+', 20, (at) => `*/site-${at}/*/secret-${at * 7}/*`),
];

function hostile(filter: string, length: number, pattern: (at: number) => string): Subscription {
  const Resource = Array.from({ length }, (_, at) => `${ARN}topic/${pattern(at)}`);
  return {
    filter,
    statements: [
      { Effect: 'Allow', Action: ['iot:Subscribe', 'iot:Receive'], Resource: '*' },
      { Effect: 'Deny', Action: 'iot:Receive', Resource },
    ],
  };
}

/** Milliseconds of CPU a decision, the least of five turns of so many milliseconds each. */
export function subscriptions(milliseconds: number): { readonly ordinary: number; readonly worst: number } {
  return {
    ordinary: cost(ORDINARY, milliseconds),
    worst: Math.max(...HOSTILE.map((subscription) => cost(subscription, milliseconds))),
  };
}

function cost({ filter, statements }: Subscription, milliseconds: number): number {
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: statements });
  const principals = JSON.stringify({ principals: { u: { match: { username: 'u' }, policies: ['p'] } } });
  const set = buildPolicySet({ policies: new Map([['p.json', policy]]), principals }, SCOPE);
  const authorizer = new PolicyAuthorizer(() => set);
  const turns = Array.from({ length: 5 }, () => {
    const start = process.cpuUsage();
    let made = 0;
    let used = 0;
    while (used < milliseconds) {
      for (let count = 0; count < BATCH; count++) authorizer.subscribe(WHO, filter);
      made += BATCH;
      const { user, system } = process.cpuUsage(start);
      used = (user + system) / 1000;
    }
    return used / made;
  });
  return Math.min(...turns);
}

/** Decisions between two looks at the CPU used, which cost something too. */
const BATCH = 8;
