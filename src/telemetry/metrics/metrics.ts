import { createHash } from 'node:crypto';
import type { Attributes, Counter, Meter, ObservableGauge, ObservableCounter } from '@opentelemetry/api';
import { RPC_SYSTEM_NAME_VALUE_GRPC } from '@opentelemetry/semantic-conventions';
import type { Action, Decision } from '../../policy/authorizer.js';
import type { StatementUse } from '../../policy/usage.js';
import { REASONS, type Reason } from '../../reasons.js';
import { disconnectReason } from '../../observing/disconnect-reasons.js';
import {
  rowOf,
  type AnyEvent,
  type BrokerConnectionEvent,
  type Counted,
  type Events,
  type EventType,
  type PolicyReloadEvent,
  type Traffic,
} from '../../observing/events.js';
import { httpMethod } from '../otel/attributes.js';
import { DIRECT_TEMPLATE, rpcMethod } from '../otel/conventions.js';
import type { HookCall, HookOutcome, IncomingRequest, RequestAnswer } from '../../observing/tracing.js';
import { METRICS, type MetricEntry } from './catalogue.js';
import { watchEventLoop } from './event-loop.js';
import type { Histograms } from './histograms.js';

/** What is counted beside events. No label has a value that a caller can invent. */
export interface Metrics extends Events {
  request(incoming: Pick<IncomingRequest, 'method' | 'scheme'>, answer: RequestAnswer, seconds: number): void;
  hookCall(call: Pick<HookCall, 'generation' | 'name'>, outcome: HookOutcome, seconds: number): void;
  decision(decision: Pick<Decision, 'action' | 'effect' | 'cause'>, seconds: number): void;
  deliveryStarted(): void;
  deliveryEnded(reason: Reason, seconds: number): void;
  traffic(counted: Traffic): void;
  close(): void;
}

export interface MetricsOptions {
  readonly meter: Meter;
  readonly histograms: Histograms;
  /** Lines lost so far. */
  readonly log: { readonly dropped: number };
  /** How often each statement in force has decided. */
  readonly usage?: () => readonly StatementUse[];
}

const SECONDS = 1000;
/** Failures that a PUBACK may carry (MQTT 5, section 3.4.2.1). */
const DEVICE_CODES: ReadonlySet<number> = new Set([0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]);

/** What clients over MQTT are asked about, apart from direct messages. */
const OF_CLIENTS = ['iot:Connect', 'iot:Publish', 'iot:Subscribe', 'iot:Receive'] as const satisfies readonly Action[];

export function createMetrics({ meter, histograms, log, usage = () => [] }: MetricsOptions): Metrics {
  const { counter, observe } = instruments(meter);
  const { directMessages, deliveries, httpRequests, hookCalls, decisions } = histograms;
  const reloads = counter(METRICS.reloads);
  const wouldDeny = counter(METRICS.wouldDeny);
  const clientEvents = counter(METRICS.clientEvents);
  const messages = counter(METRICS.messages);
  const messagesDropped = counter(METRICS.messagesDropped);
  const connects = counter(METRICS.connects);
  const sessions = counter(METRICS.sessions);
  const eventsMissed = counter(METRICS.eventsMissed);
  const eventLoop = watchEventLoop();

  let pending = 0;
  let clients = 0;
  let hooksLoaded = 0;
  let shadow = false;
  let lastReload: PolicyReloadEvent['outcome'] | undefined;
  let policySet: { readonly version: string; readonly loadedAt: number } | undefined;
  const connections = new Map<string, BrokerConnectionEvent['state']>();

  observe(METRICS.pending, (report) => {
    report(pending);
  });
  observe(METRICS.clients, (report) => {
    report(clients);
  });
  observe(METRICS.hooksLoaded, (report) => {
    report(hooksLoaded);
  });
  observe(METRICS.logDropped, (report) => {
    report(log.dropped);
  });
  observe(METRICS.statements, (report) => {
    const uses = usage();
    const used = uses.filter(({ decisions }) => decisions > 0).length;
    report(used, { used: 'yes' });
    report(uses.length - used, { used: 'no' });
  });
  observe(METRICS.shadow, (report) => {
    report(shadow ? 1 : 0);
  });
  observe(METRICS.lastReload, (report) => {
    if (lastReload !== undefined) report(lastReload === 'loaded' ? 1 : 0);
  });
  observe(METRICS.policySet, (report) => {
    if (policySet !== undefined) report(versionNumber(policySet.version));
  });
  observe(METRICS.policySetLoaded, (report) => {
    if (policySet !== undefined) report(policySet.loadedAt);
  });
  observe(METRICS.brokerConnections, (report) => {
    const states = [...connections.values()];
    for (const state of ['ready', 'pluginMissing', 'refused', 'down'] as const) {
      report(states.filter((other) => other === state).length, { state });
    }
  });
  observe(METRICS.eventLoopDelay, (report) => {
    for (const [quantile, seconds] of eventLoop.read()) report(seconds, { quantile });
  });

  // From the start, so that the first refusal is an increase.
  for (const outcome of ['loaded', 'refused']) reloads.add(0, { outcome });
  for (const direction of ['in', 'out', 'acked']) {
    for (const qos of [0, 1, 2]) messages.add(0, { direction, qos, topic_group: '' });
  }
  for (const reason of ['queue_full', 'expired', 'no_subscribers']) messagesDropped.add(0, { reason, topic_group: '' });
  for (const outcome of ['accepted', 'not_authorized']) connects.add(0, { outcome });
  for (const outcome of ['resumed', 'expired']) sessions.add(0, { outcome });
  for (const event of ['Connect', 'Disconnect', 'Publish-In', 'Publish-Out']) eventsMissed.add(0, { event });
  for (const action of OF_CLIENTS) wouldDeny.add(0, { action, cause: 'implicitDeny' });

  const clientEvent = (event: string, reason: string): void => {
    clientEvents.add(1, { event, reason });
  };

  const counts: { readonly [Way in keyof Counted]: (event: Counted[Way], type: EventType) => void } = {
    directMessage({ reason, sender, durationMs, device }) {
      directMessages.record(durationMs / SECONDS, reason, sender.protocol, device && deviceCode(device.code));
    },
    clientEvent({ reason, identity }, type) {
      // What callers publish through HTTP is counted as the request that it is.
      if (identity.protocol === 'MQTT') clientEvent(type, reason ?? 'Success');
    },
    connect({ reason }, type) {
      if (reason === undefined) clients += 1;
      clientEvent(type, reason ?? 'Success');
    },
    disconnect({ disconnectReason: reason }, type) {
      clients -= 1;
      clientEvent(type, disconnectReason(reason));
    },
    request() {
      // Where its answer is: see below.
    },
    eventsMissed({ of, count }) {
      eventsMissed.add(count, { event: of });
    },
    wouldDeny({ decision: { action, cause } }) {
      wouldDeny.add(1, { action, cause });
    },
    authorizationMode(event) {
      shadow = event.shadow;
    },
    policyReload({ outcome, version }) {
      reloads.add(1, { outcome });
      lastReload = outcome;
      if (outcome === 'loaded') policySet = { version: version ?? 'unknown', loadedAt: Date.now() / SECONDS };
    },
    brokerConnection({ clientId, state }) {
      connections.set(clientId, state);
    },
  };

  return {
    tell(type: EventType, event: AnyEvent) {
      const count = counts[rowOf(type).counted] as (event: AnyEvent, type: EventType) => void;
      count(event, type);
    },
    request({ method, scheme }, { status, route, reason }, seconds) {
      httpRequests.record(seconds, httpMethod(method), status, route, scheme, errorType(reason));
    },
    hookCall({ generation, name }, outcome, seconds) {
      // A provider that restarts is not told again that it is loaded: it just goes on being called.
      hooksLoaded = name === 'OnProviderUnloaded' ? 0 : 1;
      hookCalls.record(seconds, RPC_SYSTEM_NAME_VALUE_GRPC, rpcMethod(generation, name), outcome);
    },
    decision({ action, effect, cause }, seconds) {
      decisions.record(seconds, action, effect, cause);
    },
    deliveryStarted() {
      pending += 1;
    },
    deliveryEnded(reason, seconds) {
      pending -= 1;
      deliveries.record(seconds, 'mqtt', 'send', 'send', DIRECT_TEMPLATE, errorType(reason));
    },
    traffic(counted) {
      switch (counted.what) {
        case 'message':
          messages.add(counted.count, { direction: counted.direction, qos: counted.qos, topic_group: counted.group });
          break;
        case 'dropped':
          messagesDropped.add(counted.count, { reason: counted.reason, topic_group: counted.group });
          break;
        case 'connect':
          connects.add(counted.count, { outcome: counted.outcome });
          break;
        case 'session':
          sessions.add(counted.count, { outcome: counted.outcome });
          break;
        case 'disconnect':
          break;
      }
    },
    close: () => {
      eventLoop.close();
    },
  };
}

/**
 * A version as a number that a gauge can hold exactly. It is no label: the SDK goes on reporting every label value that
 * an asynchronous instrument ever had, so each reload would add one.
 */
function versionNumber(version: string): number {
  const hex = /^[0-9a-f]{12}/i.test(version) ? version : createHash('sha256').update(version).digest('hex');
  return parseInt(hex.slice(0, 12), 16);
}

/** As MQTT 5 has it in a PUBACK (section 3.4.2.1); a device could send any. */
function deviceCode(code: number): string {
  return DEVICE_CODES.has(code) ? `0x${code.toString(16)}` : 'other';
}

/** Present on failures only, as the conventions ask. */
function errorType(reason: Reason | undefined): Reason | undefined {
  return reason === undefined || REASONS[reason].status === 'Success' ? undefined : reason;
}

type Report = (value: number, attributes?: Attributes) => void;

function instruments(meter: Meter) {
  const options = ({ unit, description }: MetricEntry) => ({ unit, description });
  return {
    counter: (entry: MetricEntry & { kind: 'counter' }): Counter => meter.createCounter(entry.name, options(entry)),
    observe: (entry: MetricEntry & { kind: 'counter' | 'gauge' }, read: (report: Report) => void): void => {
      const instrument: ObservableCounter | ObservableGauge =
        entry.kind === 'counter'
          ? meter.createObservableCounter(entry.name, options(entry))
          : meter.createObservableGauge(entry.name, options(entry));
      instrument.addCallback((result) => {
        read((value, attributes) => {
          result.observe(value, attributes);
        });
      });
    },
  };
}
