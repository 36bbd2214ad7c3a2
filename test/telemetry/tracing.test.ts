import { describe, expect, it } from '@jest/globals';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { AlwaysOffSampler, ParentBasedSampler, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { noTracing, type IncomingRequest, type Tracing } from '../../src/observing/tracing.js';
import { allowed, denied, TRACE_ID } from './samples.js';
import { recordSpans } from './spans.js';

const PARENT_SPAN = '00f067aa0ba902b7';
const TRACEPARENT = `00-${TRACE_ID}-${PARENT_SPAN}-01`;
const address = { targetClientId: 'lock-17', topic: 'locks/17/open' };
const message = { ...address, confirmation: true, payloadBytes: 14 };
const incoming: IncomingRequest = {
  method: 'POST',
  path: '/connections/lock-17/messages',
  scheme: 'http',
  traceparent: TRACEPARENT,
  sourceIp: '192.0.2.7',
  sourcePort: 40000,
};
const receives = { generation: 'v2', name: 'OnClientAuthorize', receives: address } as const;
const sends = { generation: 'v2', name: 'OnClientAuthorize', sends: { ...address, senderClientId: 'app' } } as const;

const parentOf = (span: ReadableSpan | undefined) => span?.parentSpanContext?.spanId;
const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId;

function named(spans: readonly ReadableSpan[], name: string): ReadableSpan {
  const [found, second] = spans.filter((span) => span.name === name);
  if (found === undefined || second !== undefined) {
    throw new Error(`Not one span ${name}: ${spans.map((span) => span.name).join(', ')}`);
  }
  return found;
}

const REQUEST = 'POST /connections/:clientId/messages';
const MESSAGE = 'send $dm/{clientId}/{topic}';
const HOOK = 'emqx.exhook.v2.HookProvider/OnClientAuthorize';
const answered = { status: 200, route: '/connections/:clientId/messages', reason: 'DELIVERED' } as const;

describe('the trace of a message through HTTP', () => {
  it('is that of the caller, with a span for each hop below the request', () => {
    const { tracing, spans } = recordSpans();
    const request = tracing.request(incoming);
    const authorize = request.start({ step: 'authorize' });
    authorize.decided(allowed);
    authorize.end();
    const deliver = request.start({ step: 'deliver', message });
    const hook = tracing.hookCall(receives);
    hook.end('allow');
    deliver.event('puback');
    deliver.end('DELIVERED');
    request.end(answered);

    const all = spans();
    expect(all).toHaveLength(4);
    expect(new Set([request.traceId, hook.traceId, ...all.map((span) => span.spanContext().traceId)])).toEqual(
      new Set([TRACE_ID]),
    );
    const server = named(all, REQUEST);
    const send = named(all, MESSAGE);
    expect(parentOf(server)).toBe(PARENT_SPAN);
    expect(parentOf(named(all, 'authorize'))).toBe(idOf(server));
    expect(parentOf(send)).toBe(idOf(server));
    expect(parentOf(named(all, HOOK))).toBe(idOf(send));
    expect([server.kind, send.kind, named(all, HOOK).kind]).toEqual([
      SpanKind.SERVER,
      SpanKind.PRODUCER,
      SpanKind.SERVER,
    ]);
    expect(send.events.map(({ name }) => name)).toEqual(['puback']);
    expect(server.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.route': '/connections/:clientId/messages',
      'http.response.status_code': 200,
      'url.scheme': 'http',
      'client.address': '192.0.2.7',
      'tightbeam.reason': 'DELIVERED',
    });
    expect(send.attributes).toMatchObject({
      'messaging.system': 'mqtt',
      'messaging.operation.type': 'send',
      'messaging.destination.name': '$dm/lock-17/locks/17/open',
      'messaging.message.body.size': 14,
      'tightbeam.door': 'HTTP',
    });
    expect(named(all, 'authorize').attributes).toMatchObject({
      'tightbeam.decision.effect': 'allow',
      'tightbeam.decision.policy': 'BackendCommands',
      'tightbeam.decision.statement': 'SendCommands',
    });
    expect(all.every((span) => span.status.code === SpanStatusCode.UNSET)).toBe(true);
  });

  it('carries reason and error status where the message failed', () => {
    const { tracing, spans } = recordSpans();
    const request = tracing.request(incoming);
    request.start({ step: 'deliver', message }).end('PUBACK_TIMEOUT');
    request.end({ ...answered, status: 504, reason: 'PUBACK_TIMEOUT' });
    for (const span of spans()) {
      expect(span.status.code).toBe(SpanStatusCode.ERROR);
      expect(span.attributes).toMatchObject({ 'tightbeam.reason': 'PUBACK_TIMEOUT', 'error.type': 'PUBACK_TIMEOUT' });
    }
  });

  it('links a repeat to the attempt whose outcome it got', () => {
    const { tracing, spans } = recordSpans();
    const step = tracing.request(incoming).start({ step: 'deliver', message });
    step.delivered({ joined: true, firstTraceId: 'a'.repeat(32), firstSpanId: 'b'.repeat(16) });
    step.end('DELIVERED');
    const other = tracing.request(incoming).start({ step: 'deliver', message });
    other.delivered({ joined: true, firstTraceId: 'a'.repeat(32) });
    other.end('DELIVERED');
    expect(spans().map(({ links }) => links.map(({ context }) => [context.traceId, context.spanId]))).toEqual([
      [['a'.repeat(32), 'b'.repeat(16)]],
      [],
    ]);
  });

  it('links the receiver where several messages are under way to the same topic of the same client', () => {
    const { tracing, spans } = recordSpans();
    const deliveries = [1, 2].map(() =>
      tracing.request({ ...incoming, traceparent: '' }).start({ step: 'deliver', message }),
    );
    tracing.hookCall(receives).end('allow');
    const hook = named(spans(), HOOK);
    expect(parentOf(hook)).toBeUndefined();
    expect(hook.links.map(({ context }) => context.traceId)).toEqual(deliveries.map(({ traceId }) => traceId));
  });

  it('leaves the receiver alone where none is under way to it, also after one has ended', () => {
    const { tracing, spans } = recordSpans();
    tracing.request(incoming).start({ step: 'deliver', message }).end('DELIVERED');
    const hook = tracing.hookCall(receives);
    hook.refused('RECEIVER_NOT_AUTHORIZED');
    hook.end('deny');
    const span = named(spans(), HOOK);
    expect(parentOf(span)).toBeUndefined();
    expect(span.links).toEqual([]);
    expect(span.spanContext().traceId).toBe(hook.traceId);
    expect(span.attributes).toMatchObject({ 'tightbeam.hook.outcome': 'deny', 'tightbeam.authorize.role': 'receiver' });
  });

  it('has no error status for what is the fault of the caller, but the reason', () => {
    const { tracing, spans } = recordSpans();
    tracing.request(incoming).end({ status: 403, reason: 'SENDER_NOT_AUTHORIZED' });
    expect(spans()[0]?.status.code).toBe(SpanStatusCode.UNSET);
    expect(spans()[0]?.attributes).toMatchObject({ 'tightbeam.reason': 'SENDER_NOT_AUTHORIZED' });
    expect(spans()[0]?.attributes).not.toHaveProperty('error.type');
  });

  it('does not let methods that callers invent become span names', () => {
    const { tracing, spans } = recordSpans();
    tracing.request({ ...incoming, method: 'BREW' }).end({ status: 405 });
    expect(spans()[0]?.name).toBe('_OTHER');
    expect(spans()[0]?.attributes).toMatchObject({ 'http.request.method_original': 'BREW' });
  });
});

describe('the trace of a message through MQTT', () => {
  const outcome = { message, senderClientId: 'app', reason: 'DELIVERED', durationMs: 20 } as const;

  function pass(tracing: Tracing): string {
    const sender = tracing.hookCall(sends);
    sender.decided(allowed);
    sender.end('allow');
    tracing.hookCall(receives).end('allow');
    return sender.traceId;
  }

  it('is written when its outcome is reported, with both decisions below it', () => {
    const { tracing, spans } = recordSpans();
    const promised = pass(tracing);
    expect(spans()).toEqual([]);
    expect(tracing.mqttMessage(outcome)).toBe(promised);
    const send = named(spans(), MESSAGE);
    const decisions = spans().filter(({ name }) => name === HOOK);
    expect(decisions.map(parentOf)).toEqual([idOf(send), idOf(send)]);
    expect(decisions.map((span) => span.attributes['tightbeam.authorize.role'])).toEqual(['sender', 'receiver']);
    expect(decisions[0]?.attributes).toMatchObject({ 'tightbeam.decision.policy': 'BackendCommands' });
    expect(send.attributes).toMatchObject({ 'tightbeam.door': 'MQTT', 'tightbeam.reason': 'DELIVERED' });
    expect(send.events.map(({ name }) => name)).toEqual(['puback']);
    expect(new Set(spans().map((span) => span.spanContext().traceId))).toEqual(new Set([promised]));
  });

  it('is that of the sender where the sender names one', () => {
    const { tracing, spans } = recordSpans();
    pass(tracing);
    expect(tracing.mqttMessage({ ...outcome, traceparent: TRACEPARENT })).toBe(TRACE_ID);
    expect(spans()).toHaveLength(3);
    expect(new Set(spans().map((span) => span.spanContext().traceId))).toEqual(new Set([TRACE_ID]));
    expect(parentOf(named(spans(), MESSAGE))).toBe(PARENT_SPAN);
  });

  it('is written at once where the sender is refused', () => {
    const { tracing, spans } = recordSpans();
    const sender = tracing.hookCall(sends);
    sender.decided(denied);
    sender.refused('SENDER_NOT_AUTHORIZED');
    sender.end('deny');
    const send = named(spans(), MESSAGE);
    expect(send.spanContext().traceId).toBe(sender.traceId);
    expect(send.status.code).toBe(SpanStatusCode.ERROR);
    expect(parentOf(named(spans(), HOOK))).toBe(idOf(send));
  });

  it('is written without decisions where the broker had them in a cache', () => {
    const { tracing, spans } = recordSpans();
    const traceId = tracing.mqttMessage({ ...outcome, reason: 'PUBACK_TIMEOUT' });
    expect(spans().map(({ name }) => name)).toEqual([MESSAGE]);
    expect(spans()[0]?.spanContext().traceId).toBe(traceId);
    expect(spans()[0]?.events).toEqual([]);
  });

  it('has its span in the time in which it was under way, however late that is told', () => {
    const { tracing, spans } = recordSpans();
    const endedAt = 1_700_000_000_500;
    tracing.mqttMessage({ ...outcome, durationMs: 250, endedAt });
    const send = named(spans(), MESSAGE);
    const milliseconds = [send.startTime, send.endTime, send.events[0]?.time ?? [0, 0]].map(
      ([seconds, nanos]) => seconds * 1_000 + nanos / 1_000_000,
    );
    expect(milliseconds).toEqual([endedAt - 250, endedAt, endedAt]);
  });

  it('tells messages of different senders to one client apart', () => {
    const { tracing, spans } = recordSpans();
    const calls = ['one', 'two'].map((senderClientId) => {
      const call = tracing.hookCall({ ...sends, sends: { ...address, senderClientId } });
      call.end('allow');
      return call.traceId;
    });
    expect(tracing.mqttMessage({ ...outcome, senderClientId: 'two' })).toBe(calls[1]);
    expect(tracing.mqttMessage({ ...outcome, senderClientId: 'one' })).toBe(calls[0]);
    expect(spans().filter(({ name }) => name === HOOK)).toHaveLength(2);
  });
});

describe('a trace that is not sampled', () => {
  it('keeps its id from end to end and exports nothing', () => {
    const { tracing, spans } = recordSpans(new ParentBasedSampler({ root: new AlwaysOffSampler() }));
    const request = tracing.request({ ...incoming, traceparent: `00-${TRACE_ID}-${PARENT_SPAN}-00` });
    const deliver = request.start({ step: 'deliver', message });
    expect(tracing.hookCall(receives).traceId).toBe(TRACE_ID);
    expect(deliver.traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-00$`));
    deliver.end('DELIVERED');
    request.end(answered);
    expect(spans()).toEqual([]);
  });
});

describe('with tracing off', () => {
  it('the id is still that of the caller, or a new one, and is handed on', () => {
    const request = noTracing.request(incoming);
    expect([request.traceId, request.start({ step: 'authorize' }).traceId]).toEqual([TRACE_ID, TRACE_ID]);
    expect(request.traceparent).toBe(TRACEPARENT);
    const own = noTracing.request({ ...incoming, traceparent: 'nonsense' });
    expect(own.traceparent).toMatch(new RegExp(`^00-${own.traceId}-[0-9a-f]{16}-00$`));
    expect(own.traceparent).toBe(own.traceparent);
    expect(noTracing.mqttMessage({ message, senderClientId: 'a', reason: 'DELIVERED', durationMs: 1 })).toMatch(
      /^[0-9a-f]{32}$/,
    );
  });
});
