import { describe, expect, test } from '@jest/globals';
import { mayReceive } from '../../src/clients/receive.js';
import { maySend } from '../../src/clients/send.js';
import type { Identity } from '../../src/identity/identity.js';
import { afterwards, DENY_ALL, DEVICE, SERVICE, world } from './world.js';

const SENDER: Identity = { protocol: 'MQTT', clientId: 'backend-1', username: 'backend' };
const topicName = '$dm/lock-17/commands/open';

describe('the sender of a direct message', () => {
  test('may send where a policy of its own allows it, to the client ID decoded', async () => {
    const { context, authorizer, events } = world();
    expect(maySend({ identity: SENDER, topicName: '$dm/caf%C3%A9%2F1/open' }, context)).toMatchObject({
      allowed: true,
    });
    expect(authorizer.asked).toEqual([
      { action: 'iot:SendDirectMessage', identity: SENDER, resource: 'client/café/1', topic: 'open' },
    ]);
    await afterwards(context);
    expect(events.all).toEqual([]);
  });

  test.each([
    [undefined, undefined],
    [0, false],
    [1, true],
  ])('is refused where none does, and that is the outcome of the message (QoS %s)', async (qos, confirmation) => {
    const { context, events } = world(DENY_ALL);
    const verdict = maySend({ identity: SENDER, topicName, traceId: 't', qos, payloadBytes: 2 }, context);
    expect(verdict).toMatchObject({ allowed: false, reason: 'SENDER_NOT_AUTHORIZED' });
    await afterwards(context);
    expect(events.all).toEqual([
      {
        name: 'SendDirectMessage',
        event: {
          traceId: 't',
          sender: SENDER,
          message: { targetClientId: 'lock-17', topic: 'commands/open', confirmation, payloadBytes: 2 },
          reason: 'SENDER_NOT_AUTHORIZED',
          durationMs: 0,
          decision: verdict.decision,
        },
      },
    ]);
  });

  test.each(['$dm', '$dm/%zz/t', '$dm/+/t', 'state'])('is refused on %s, unasked', async (malformed) => {
    const { context, authorizer, events } = world();
    expect(maySend({ identity: SENDER, topicName: malformed }, context)).toEqual({
      allowed: false,
      reason: expect.stringMatching(/^INVALID_/),
    });
    expect(authorizer.asked).toEqual([]);
    expect(await events.next('SendDirectMessage')).toMatchObject({
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      message: { targetClientId: '', topic: malformed },
    });
  });

  test('may send unasked where it is the service', () => {
    expect(maySend({ identity: SERVICE, topicName }, world(DENY_ALL).context)).toEqual({ allowed: true });
  });
});

describe('the receiver of a message', () => {
  const asked = { identity: DEVICE, traceId: 't', topicName: 'commands/open' };
  const request = { ...asked, direct: true };

  test('may receive where a policy of its own allows it', async () => {
    const { context, authorizer, events } = world();
    expect(mayReceive(request, context)).toMatchObject({ allowed: true });
    expect(authorizer.asked).toEqual([{ action: 'iot:Receive', identity: DEVICE, resource: 'topic/commands/open' }]);
    await afterwards(context);
    expect(events.all).toEqual([]);
  });

  test('may not where none does, and is told of', async () => {
    const { context, events } = world(DENY_ALL);
    const reason = 'RECEIVER_NOT_AUTHORIZED';
    const verdict = mayReceive(request, context);
    expect(verdict).toMatchObject({ allowed: false, reason });
    await afterwards(context);
    expect(events.all).toEqual([
      { name: 'Receive', event: { ...asked, clientId: 'lock-17', reason, decision: verdict.decision } },
    ]);
  });

  test('may receive unasked where it is the service', () => {
    expect(mayReceive({ ...request, identity: SERVICE }, world(DENY_ALL).context)).toEqual({ allowed: true });
  });
});
