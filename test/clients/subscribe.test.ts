import { describe, expect, test } from '@jest/globals';
import { maySubscribe } from '../../src/clients/subscribe.js';
import { tellUnsubscribed } from '../../src/clients/unsubscribe.js';
import { afterwards, DENY_ALL, DEVICE, SERVICE, world } from './world.js';

const request = { identity: DEVICE, traceId: 't', topicFilter: '$share/g/jobs/+', qos: 1 };
const { topicFilter: topicName, ...facts } = request;

describe('a client that subscribes', () => {
  test('may where a policy allows it, and is told of', async () => {
    const { context, authorizer, events } = world();
    const verdict = maySubscribe(request, context);
    expect(verdict).toMatchObject({ allowed: true });
    expect(authorizer.asked).toEqual([
      { action: 'iot:Subscribe', identity: DEVICE, resource: 'topicfilter/$share/g/jobs/+' },
    ]);
    await afterwards(context);
    expect(events.all).toEqual([{ name: 'Subscribe', event: { ...facts, topicName, decision: verdict.decision } }]);
  });

  test.each([DEVICE, SERVICE])('may not where none does, $username neither', async (identity) => {
    const { context, events } = world(DENY_ALL);
    const verdict = maySubscribe({ ...request, identity }, context);
    const reason = 'SUBSCRIBE_NOT_AUTHORIZED';
    expect(verdict).toMatchObject({ allowed: false, reason });
    await afterwards(context);
    expect(events.all).toEqual([
      { name: 'Subscribe', event: { ...facts, identity, topicName, reason, decision: verdict.decision } },
    ]);
  });

  test.each(['$dm', '$dm/#', '$dm/lock-17/t', '$share/g/$dm/lock-17/t', '$queue/$dm/#', '$exclusive/$dm/lock-17/t'])(
    'may not to %s, whatever the policies say and whoever it is',
    async (topicFilter) => {
      const { context, authorizer, events } = world();
      for (const identity of [DEVICE, SERVICE]) {
        expect(maySubscribe({ identity, topicFilter }, context)).toEqual({
          allowed: false,
          reason: 'SUBSCRIBE_NOT_AUTHORIZED',
        });
      }
      expect(authorizer.asked).toEqual([]);
      expect(await events.next('Subscribe')).toMatchObject({
        topicName: topicFilter,
        reason: 'SUBSCRIBE_NOT_AUTHORIZED',
      });
    },
  );
});

test('a client that unsubscribes is told of filter by filter', async () => {
  const { context, events } = world();
  tellUnsubscribed({ identity: DEVICE, traceId: 't', topicFilters: ['a/#', 'b'] }, context);
  await afterwards(context);
  expect(events.all).toEqual(
    ['a/#', 'b'].map((name) => ({ name: 'Unsubscribe', event: { identity: DEVICE, traceId: 't', topicName: name } })),
  );
});
