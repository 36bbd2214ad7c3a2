import { describe, expect, test } from '@jest/globals';
import { mayConnect } from '../../src/clients/connect.js';
import { isGuardedFilter, isGuardedTopic } from '../../src/clients/enforcement.js';
import { describeModes, Modes, type ModeSettings } from '../../src/clients/modes.js';
import { mayPublish } from '../../src/clients/publish.js';
import { mayReceive } from '../../src/clients/receive.js';
import { maySubscribe } from '../../src/clients/subscribe.js';
import { afterwards, DENY_ALL, DEVICE, world } from './world.js';

const SHADOW: ModeSettings = { mode: 'shadow', modes: {}, inShadow: 'broker' };

function inShadow(settings: Partial<ModeSettings> = {}, denies = DENY_ALL) {
  return world(denies, { enforcement: new Modes({ ...SHADOW, ...settings }) });
}

const publish = { identity: DEVICE, traceId: 't', topicName: 'state', qos: 1, payloadBytes: 2 };
const subscribe = { identity: DEVICE, traceId: 't', topicFilter: 'state/#', qos: 1 };

describe('in shadow', () => {
  test.each([
    ['broker', undefined, true],
    ['broker', true, true],
    ['broker', false, false],
    ['allow', false, true],
  ] as const)('by %s, a denied publish of which the broker says %s: allowed is %s', async (by, brokersOwn, allowed) => {
    const { context, events } = inShadow({ inShadow: by });
    expect(mayPublish({ ...publish, brokersOwn }, context)).toMatchObject({ allowed });
    await afterwards(context);
    const told = {
      ...publish,
      reason: 'PUBLISH_NOT_AUTHORIZED',
      decision: expect.objectContaining({ effect: 'deny' }),
    };
    expect(events.all[0]).toEqual({ name: 'WouldDeny', event: told });
    const refusal = { ...publish, reason: told.reason, details: expect.stringMatching(/broker’s own decision/) };
    expect(events.all.slice(1)).toEqual(allowed ? [] : [{ name: 'Publish-In', event: refusal }]);
  });

  test('the broker’s own no stands where policies allow, and nothing would be denied', async () => {
    const { context, events } = inShadow({}, () => false);
    expect(mayPublish({ ...publish, brokersOwn: false }, context)).toMatchObject({ allowed: false });
    await afterwards(context);
    expect(events.all.map(({ name }) => name)).toEqual(['Publish-In']);
  });

  test('a subscription goes on, and both the subscription and what would be denied are told', async () => {
    const { context, events } = inShadow();
    expect(maySubscribe(subscribe, context)).toEqual({ allowed: true });
    await afterwards(context);
    expect(events.all.map(({ name }) => name)).toEqual(['WouldDeny', 'Subscribe']);
    expect(events.all[1]?.event).toEqual({ identity: DEVICE, traceId: 't', topicName: 'state/#', qos: 1 });
  });

  test('who is authenticated connects, with its will, and who is not does not', async () => {
    const { context, events } = inShadow();
    const claim = { clientId: 'lock-17', username: 'lock', password: 'lock' };
    const terms = { persistent: false, will: { topicName: 'gone', retain: false } };
    expect(await mayConnect({ claim, terms }, context)).toMatchObject({ allowed: true, isService: false });
    expect(await mayConnect({ claim: { ...claim, password: 'wrong' } }, context)).toMatchObject({ allowed: false });
    await afterwards(context);
    expect(events.all.map(({ name }) => name)).toEqual(['WouldDeny', 'WouldDeny', 'Connect']);
    expect(events.all[1]?.event).toMatchObject({ topicName: 'gone', reason: 'CONNECT_NOT_AUTHORIZED' });
  });

  test('an ordinary message is delivered, a direct one is not', () => {
    const { context } = inShadow();
    expect(mayReceive({ identity: DEVICE, topicName: 't', direct: false }, context)).toMatchObject({ allowed: true });
    expect(mayReceive({ identity: DEVICE, topicName: 't', direct: true }, context)).toMatchObject({ allowed: false });
  });

  test.each(['$dm/lock-18/t', '$tightbeam/x', '$aws/events/presence/connected/c', '$delayed/5/$aws/events/x'])(
    'publishing on %s is enforced',
    async (topicName) => {
      const { context, events } = inShadow({ inShadow: 'allow' });
      expect(mayPublish({ ...publish, topicName, brokersOwn: true }, context)).toMatchObject({ allowed: false });
      await afterwards(context);
      expect(events.all.map(({ name }) => name)).not.toContain('WouldDeny');
    },
  );

  test.each(['$dm/#', '$share/g/$dm/a/b', '$tightbeam/#', '$aws/events/#', '$aws/+/x', '$aws/#', '$share/g/$aws/#'])(
    'subscribing to %s is enforced',
    (topicFilter) => {
      const { context } = inShadow({ inShadow: 'allow' });
      expect(maySubscribe({ ...subscribe, topicFilter, brokersOwn: true }, context)).toMatchObject({ allowed: false });
    },
  );
});

test('topics of AWS IoT that other parts of a fleet may use are not guarded, nor is what a wildcard cannot match', () => {
  for (const topic of ['$aws/things/a/shadow', '$SYS/x', 'a/$dm/b', '$dmx']) expect(isGuardedTopic(topic)).toBe(false);
  for (const filter of ['#', '+/events/#', '$aws/things/#', '$share/g/#']) expect(isGuardedFilter(filter)).toBe(false);
});

describe('modes', () => {
  const modes = new Modes({ mode: 'shadow', modes: { 'lock-9?': 'shadow', 'lock-*': 'enforce' }, inShadow: 'allow' });

  test('the first pattern of the principal’s name counts, and the general mode where there is none', () => {
    expect(['lock-17', 'lock-99', 'backend', undefined].map((name) => modes.modeOf(name))).toEqual([
      'enforce',
      'shadow',
      'shadow',
      'shadow',
    ]);
  });

  test('they are said in one line', () => {
    expect(describeModes(modes.settings)).toBe(
      'shadow (lock-9?: shadow, lock-*: enforce); in shadow everything is allowed',
    );
    expect(describeModes({ ...SHADOW, mode: 'enforce' })).toBe('enforce');
  });

  test('a switch counts from the next decision on', () => {
    const enforcement = new Modes(SHADOW);
    const { context } = world(DENY_ALL, { enforcement });
    expect(mayPublish(publish, context).allowed).toBe(true);
    enforcement.replace({ ...SHADOW, mode: 'enforce' });
    expect(mayPublish(publish, context).allowed).toBe(false);
  });
});
