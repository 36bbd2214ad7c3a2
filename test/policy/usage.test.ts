import { expect, test } from '@jest/globals';
import { PolicyAuthorizer } from '../../src/policy/deciding/engine.js';
import type { PolicySet } from '../../src/policy/policy-set.js';
import { UsedBy } from '../../src/policy/questions/used.js';
import { PolicyUsage } from '../../src/policy/usage.js';
import { ARN, policy, setOf } from './support/set.js';

const allow = (Sid: string, Action: string, Resource: string) => ({
  Sid,
  Effect: 'Allow',
  Action,
  Resource: ARN + Resource,
});
const who = { protocol: 'MQTT', clientId: 'c', username: 'u' } as const;

test('each statement counts its decisions, those that never decided come first, and a replaced set takes its own along', () => {
  let now = 1000;
  const first = setOf({
    p: policy(allow('Connect', 'iot:Connect', 'client/*'), allow('Old', 'iot:Publish', 'topic/old')),
  });
  const second = setOf({
    p: policy(allow('Connect', 'iot:Connect', 'client/*'), allow('New', 'iot:Publish', 'topic/new')),
  });
  let set: PolicySet = first;
  const usage = new PolicyUsage(() => now);
  expect(usage.report()).toEqual([]);
  const authorizer = usage.counting(new PolicyAuthorizer(() => set), () => set);
  authorizer.connect(who);
  now = 2000;
  authorizer.connect(who);
  authorizer.publish(who, 'nothing');
  expect(usage.report()).toEqual([
    { policy: 'p', statement: 'Old', effect: 'Allow', decisions: 0, since: 1000 },
    { policy: 'p', statement: 'Connect', effect: 'Allow', decisions: 2, last: 2000, since: 1000 },
  ]);
  set = second;
  now = 3000;
  authorizer.connect(who);
  expect(usage.report()).toEqual([
    { policy: 'p', statement: 'New', effect: 'Allow', decisions: 0, since: 3000 },
    { policy: 'p', statement: 'Connect', effect: 'Allow', decisions: 3, last: 3000, since: 1000 },
  ]);
});

test('of a log, what decided nothing is told apart from what the log does not tell of', () => {
  const set = setOf({
    p: policy(
      allow('Used', 'iot:Connect', 'client/a'),
      allow('Unused', 'iot:Connect', 'client/b'),
      allow('Untold', 'iot:Publish', 'topic/a'),
      { ...allow('Never', 'iot:Publish', 'topic/b'), Effect: 'Deny' },
    ),
  });
  const used = new UsedBy();
  for (const line of ['{"policy":"p","statement":"Used"}', 'not JSON', 'null', '7', '{"policy":"p"}']) used.add(line);
  const { unused, unknown } = used.of(set);
  expect(unused.map(({ id }) => id)).toEqual(['Unused', 'Never']);
  expect(unknown.map(({ id }) => id)).toEqual(['Untold']);
});
