import { expect, test } from '@jest/globals';
import { tellOutcomes, type MqttOutcome } from '../../src/clients/outcome.js';
import { tellDisconnected } from '../../src/clients/disconnect.js';
import { noTracing, type MqttMessageOutcome } from '../../src/observing/tracing.js';
import { afterwards, DEVICE, SERVICE, world } from './world.js';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const outcome: MqttOutcome = {
  sender: DEVICE,
  message: { targetClientId: 'lock-18', topic: 'open', confirmation: true, payloadBytes: 2 },
  reason: 'DELIVERED',
  durationMs: 12,
  endedAt: 1_700_000_000_000,
  traceparent,
};

test('an outcome is traced as its sender’s, and told on that trace', async () => {
  const traced: MqttMessageOutcome[] = [];
  const tracing = {
    ...noTracing,
    mqttMessage: (told: MqttMessageOutcome) => {
      traced.push(told);
      return 'its trace';
    },
  };
  const { context, events } = world(undefined, { tracing });
  tellOutcomes([outcome], context);
  expect(events.all).toEqual([]);
  await afterwards(context);
  const { sender, message, reason, durationMs, endedAt } = outcome;
  const facts = { message, reason, durationMs, endedAt };
  expect(traced).toEqual([{ ...facts, senderClientId: 'lock-17', traceparent }]);
  expect(events.all).toEqual([{ name: 'SendDirectMessage', event: { ...facts, sender, traceId: 'its trace' } }]);
});

test('outcomes of the service are passed over, it knows them', async () => {
  const { context, events } = world();
  tellOutcomes([{ ...outcome, sender: SERVICE }, outcome], context);
  await afterwards(context);
  expect(events.all).toMatchObject([{ event: { sender: DEVICE } }]);
});

test('many outcomes are told in their order, and others have their turn between', async () => {
  const { context, events } = world();
  const topics = Array.from({ length: 120 }, (_, at) => `t/${at}`);
  tellOutcomes(
    topics.map((topic) => ({ ...outcome, message: { ...outcome.message, topic } })),
    context,
  );
  await afterwards(context);
  expect(events.all).toHaveLength(50);
  await events.next('SendDirectMessage', ({ message }) => message.topic === 't/119');
  expect(events.all.map(({ event }) => 'message' in event && event.message.topic)).toEqual(topics);
});

test('an event that cannot be recorded is logged, and the next one is told', async () => {
  const { context, events, logged } = world();
  const { tell } = events;
  events.tell = () => {
    events.tell = tell;
    throw new Error('disk full');
  };
  tellDisconnected({ identity: DEVICE, reason: 'normal' }, context);
  tellDisconnected({ identity: DEVICE, reason: 'kicked' }, context);
  await afterwards(context);
  expect(events.all).toEqual([{ name: 'Disconnect', event: { identity: DEVICE, disconnectReason: 'kicked' } }]);
  expect(logged).toEqual([['error', 'An event could not be recorded.', { error: 'disk full' }]]);
});
