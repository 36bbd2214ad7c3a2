import { describe, expect, test } from '@jest/globals';
import type { Reason } from '../../src/reasons.js';
import { call } from '../http/support.js';
import type { Line } from '../telemetry/capture.js';
import { expectTold, HOOK, MESSAGE, only, traceOf } from '../telemetry/e2e/told.js';
import { direct, onceReceived, publish } from './support/clients.js';
import { OUTCOMES } from './support/outcomes.js';
import { onEmqx, testIf } from './support/suite.js';

onEmqx('What became of a message is told', (bench, { isLocal }) => {
  describe.each(['HTTP', 'MQTT'] as const)('through %s', (door) => {
    const reasons = Object.entries(OUTCOMES[door]);
    test.each(reasons)('%s is logged, traced and counted', async (reason, provoke) => {
      const { receiver, service } = bench();
      const log = { lines: bench().log, next: (matches: (line: Line) => boolean) => bench().nextLine(matches) };
      const signals = { log, receiver, metricsPort: service.ports.metrics };
      await expectTold(signals, door, reason as Reason, () => provoke(bench(), `told-${door}-${reason}`));
    });
  });

  test('each refusal of a sender is logged, also those that EMQX remembers', async () => {
    const target = 'told-remembered';
    const sender = await bench().connect('told-refused', { username: 'backend', password: 'backend' });
    const isLine = (line: Line) => line['targetClientId'] === target && line['reason'] === 'SENDER_NOT_AUTHORIZED';
    // The provider has logged this one when it is answered, or will; EMQX answers the second by itself.
    expect(await publish(sender, direct(target, 'forbidden/x'), 'open')).toBe(0x87);
    const asked = await bench().nextLine(isLine);
    expect(asked).toHaveProperty('cause');
    expect(await publish(sender, direct(target, 'forbidden/x'), 'open')).toBe(0x87);
    const remembered = await bench().nextLine((line) => isLine(line) && line !== asked);
    expect(remembered).toMatchObject({
      clientId: 'told-refused',
      principalId: 'backend',
      // Through the ports of a container it is the address of the bridge.
      sourceIp: isLocal ? '127.0.0.1' : expect.stringMatching(/^[0-9a-f.:]+$/),
      qos: 1,
    });
    expect(remembered).not.toHaveProperty('cause');
  });

  // Elsewhere the clock of the broker is another one.
  testIf(isLocal, 'the broker is not on this machine')(
    'many messages of a client each have their line, with the time at which they ended',
    async () => {
      const count = 250;
      const device = await bench().connect('told-many');
      const sender = await bench().connect('told-sender', { username: 'backend', password: 'backend' });
      const before = Date.now();
      const topics = Array.from({ length: count }, (_, index) => `cmd/${index}`);
      await Promise.all(topics.map((topic) => publish(sender, direct('told-many', topic), 'open')));
      const after = Date.now();
      const lines = await Promise.all(
        topics.map((topic) =>
          bench().nextLine((line) => line['targetClientId'] === 'told-many' && line['topicName'] === topic),
        ),
      );
      for (const line of lines) {
        const endedAt = Date.parse(String(line['timestamp']));
        // Within what Erlang's clock may be away from that of the operating system, after which it moves by 1 % at the most.
        expect(endedAt).toBeGreaterThanOrEqual(before - 10_000);
        expect(endedAt).toBeLessThanOrEqual(after + 10_000);
      }
      expect(new Set(lines.map((line) => line['traceId'])).size).toBe(count);
      await device.endAsync();
    },
  );

  test('the trace of a message through HTTP has a span for each hop, the decision about the device with it', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const caller = 'b7ad6b7169203331';
    const device = await bench().connect('told-traced');
    const received = onceReceived(device);
    const { body } = await call(bench().service.ports.http, {
      path: '/connections/told-traced/messages',
      query: { topic: 'cmd/open', confirmation: 'true' },
      headers: { traceparent: `00-${traceId}-${caller}-01` },
    });
    await received;
    expect(body['traceId']).toBe(traceId);
    const spans = await traceOf(bench().receiver, traceId, ({ parentSpanId }) => parentSpanId === caller);
    const server = only(spans, ({ parentSpanId }) => parentSpanId === caller);
    const deliver = only(spans, ({ name }) => name === MESSAGE);
    expect(deliver).toMatchObject({ parentSpanId: server.spanId, events: [{ name: 'puback' }] });
    expect(only(spans, ({ name }) => name === 'authorize').attributes).toMatchObject({
      'tightbeam.decision.action': 'iot:SendDirectMessage',
      'tightbeam.decision.principal': 'backend',
    });
    const receiver = only(spans, ({ name }) => HOOK.test(name));
    expect(receiver).toMatchObject({ parentSpanId: deliver.spanId });
    expect(receiver.attributes).toMatchObject({
      'tightbeam.decision.action': 'iot:Receive',
      'tightbeam.decision.principal': 'device',
    });
    await device.endAsync();
  });
});
