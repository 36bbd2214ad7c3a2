import { describe, expect, test } from '@jest/globals';
import type { Reason } from '../../src/reasons.js';
import { call } from '../http/support.js';
import type { Line } from '../telemetry/capture.js';
import { expectTold, HOOK, MESSAGE, only, traceOf } from '../telemetry/e2e/told.js';
import { onceReceived } from './support/clients.js';
import { OUTCOMES } from './support/outcomes.js';
import { onEmqx } from './support/suite.js';

onEmqx('What became of a message is told', (bench) => {
  describe.each(['HTTP', 'MQTT'] as const)('through %s', (door) => {
    const reasons = Object.entries(OUTCOMES[door]);
    test.each(reasons)('%s is logged, traced and counted', async (reason, provoke) => {
      const { receiver, service } = bench();
      const log = { lines: bench().log, next: (matches: (line: Line) => boolean) => bench().nextLine(matches) };
      const signals = { log, receiver, metricsPort: service.ports.metrics };
      await expectTold(signals, door, reason as Reason, () => provoke(bench(), `told-${door}-${reason}`));
    });
  });

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
    const receiver = only(spans, ({ name }) => name === HOOK);
    expect(receiver).toMatchObject({ parentSpanId: deliver.spanId });
    expect(receiver.attributes).toMatchObject({
      'tightbeam.decision.action': 'iot:Receive',
      'tightbeam.decision.principal': 'device',
    });
    await device.endAsync();
  });
});
