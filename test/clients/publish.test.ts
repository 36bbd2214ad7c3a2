import { describe, expect, test } from '@jest/globals';
import { mayPublish, tellPublished } from '../../src/clients/publish.js';
import { tellDelivered } from '../../src/clients/deliver.js';
import { authorizerOf, ARN, policy } from '../policy/support/set.js';
import { afterwards, DENY_ALL, DEVICE, SERVICE, world } from './world.js';

const message = { identity: DEVICE, traceId: 't', topicName: 'state', qos: 1, payloadBytes: 2 };

describe('a client that publishes', () => {
  test('may where a policy allows it, and nothing is told of it', async () => {
    const { context, authorizer, events } = world();
    expect(mayPublish(message, context)).toMatchObject({ allowed: true, decision: { effect: 'allow' } });
    expect(authorizer.asked).toEqual([{ action: 'iot:Publish', identity: DEVICE, resource: 'topic/state' }]);
    await afterwards(context);
    expect(events.all).toEqual([]);
  });

  test('may not where none does, and that is told with all that is known', async () => {
    const { context, events } = world(DENY_ALL);
    const verdict = mayPublish(message, context);
    expect(verdict).toMatchObject({ allowed: false, reason: 'PUBLISH_NOT_AUTHORIZED' });
    await afterwards(context);
    expect(events.all).toEqual([
      { name: 'Publish-In', event: { ...message, reason: 'PUBLISH_NOT_AUTHORIZED', decision: verdict.decision } },
    ]);
  });

  test.each([
    [true, false],
    [false, true],
    [undefined, true],
  ])('is asked for leave to retain where the broker tells that it retains (%s)', (retain, allowed) => {
    const authorizer = authorizerOf({
      p: policy({ Effect: 'Allow', Action: 'iot:Publish', Resource: `${ARN}topic/state` }),
    });
    const identity = { protocol: 'MQTT', clientId: 'c', username: 'u' } as const;
    expect(
      mayPublish({ identity, topicName: 'state', retain }, world(undefined, { authorizer }).context),
    ).toMatchObject({
      allowed,
    });
  });

  test.each(['$dm/lock-18/t', '$dm'])(
    'needs leave to send on %s, leave to publish there counts for nothing',
    (topicName) => {
      const { context, authorizer } = world(({ action }) => action === 'iot:SendDirectMessage');
      expect(mayPublish({ ...message, topicName }, context)).toMatchObject({ allowed: false });
      expect(authorizer.asked.map(({ action }) => action)).not.toContain('iot:Publish');
    },
  );

  test('may do so unasked where it is the service', () => {
    const { context, authorizer } = world(DENY_ALL);
    for (const topicName of ['state', '$dm/lock-18/t']) {
      expect(mayPublish({ identity: SERVICE, topicName }, context)).toEqual({ allowed: true });
    }
    expect(authorizer.asked).toEqual([]);
  });
});

test('a publish is told of its sender, a delivery of its receiver', async () => {
  const { context, events } = world();
  tellPublished(message, context);
  tellDelivered(message, context);
  expect(events.all).toEqual([]);
  await afterwards(context);
  expect(events.all).toEqual([
    { name: 'Publish-In', event: message },
    { name: 'Publish-Out', event: message },
  ]);
});

describe('a client that publishes a lifecycle event', () => {
  test.each(['$aws/events/presence/connected/lock-17', '$delayed/5/$aws/events/x'])(
    'is refused on %s whatever the policies say, in shadow too, and told of',
    async (topicName) => {
      const enforcement = { modeOf: () => 'shadow' as const, inShadow: 'allow' as const };
      const { context, authorizer, events } = world(() => false, { enforcement });
      expect(mayPublish({ ...message, topicName }, context)).toEqual({
        allowed: false,
        reason: 'PUBLISH_NOT_AUTHORIZED',
      });
      expect(authorizer.asked).toEqual([]);
      await afterwards(context);
      expect(events.all).toMatchObject([
        { name: 'Publish-In', event: { topicName, details: 'Nobody but Tightbeam publishes under $aws/events/.' } },
      ]);
    },
  );
});
