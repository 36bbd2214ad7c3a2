import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { METRICS, prometheusName, type MetricEntry } from '../../src/telemetry/metrics/catalogue.js';
import { createTelemetry, type Telemetry } from '../../src/telemetry/telemetry.js';
import { captureLog } from './capture.js';
import { allowed, delivered, denied, device } from './samples.js';
import { FakeDelivery } from '../fakes.js';
import { readExposition, scrape, sumOf } from './scrape.js';

const COUNT = (name: string) => `${name}_count`;

describe('the metrics', () => {
  let telemetry: Telemetry;
  let port: number;
  beforeEach(async () => {
    telemetry = await createTelemetry({
      version: '0.0.0',
      log: { accountId: '0', destination: captureLog() },
      traces: false,
      env: {},
    });
    port = await telemetry.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(() => telemetry.close());

  /** Everything that a service can tell, once. */
  async function tellAll(): Promise<void> {
    const { events, tracing } = telemetry;
    events.tell('SendDirectMessage', delivered());
    events.tell('SendDirectMessage', delivered({ reason: 'PUBACK_TIMEOUT', sender: device, durationMs: 5000 }));
    events.tell('Connect', { identity: device });
    events.tell('Connect', { identity: device, reason: 'CONNECT_NOT_AUTHORIZED' });
    events.tell('Subscribe', { identity: device, topicName: 'a' });
    events.tell('Publish-In', { identity: device, topicName: 'a', reason: 'PUBLISH_NOT_AUTHORIZED' });
    events.tell('WouldDeny', { identity: device, topicName: 'a', reason: 'PUBLISH_NOT_AUTHORIZED', decision: denied });
    events.tell('AuthorizationMode', { shadow: true, details: 'shadow' });
    events.tell('PolicyReload', { outcome: 'loaded', version: 'v1' });
    events.tell('PolicyReload', { outcome: 'refused', details: 'x' });
    events.tell('BrokerConnection', { state: 'ready', broker: 'mqtt://b', clientId: 'c1' });
    events.tell('BrokerConnection', { state: 'down', broker: 'mqtt://b', clientId: 'c2' });
    events.tell('EventsMissed', { of: 'Publish-In', count: 17, node: 'emqx@127.0.0.1' });
    telemetry.traffic({ what: 'message', direction: 'in', qos: 1, group: 'doors', count: 7 });
    telemetry.traffic({ what: 'message', direction: 'out', qos: 0, group: '', count: 14 });
    telemetry.traffic({ what: 'dropped', reason: 'queue_full', group: 'doors', count: 3 });
    telemetry.traffic({ what: 'connect', outcome: 'banned', count: 2 });
    telemetry.traffic({ what: 'disconnect', count: 2 });
    telemetry.traffic({ what: 'session', outcome: 'expired', count: 1 });
    tracing.hookCall({ generation: 'v2', name: 'OnProviderLoaded' }).end('done');
    tracing.hookCall({ generation: 'v2', name: 'OnClientAuthorize' }).end('deny');
    tracing
      .request({ method: 'POST', path: '/', scheme: 'http' })
      .end({ status: 504, route: '/x', reason: 'PUBACK_TIMEOUT' });
    telemetry.authorizer({ connect: () => allowed } as never).connect(device);
    await telemetry.delivery(new FakeDelivery()).deliver({ confirmation: true } as never);
    // Listeners hear of events after what is under way.
    await new Promise(setImmediate);
  }

  it('count direct messages by reason and door, with their durations', async () => {
    await tellAll();
    const samples = await scrape(port);
    const name = prometheusName(METRICS.directMessages);
    expect(sumOf(samples, COUNT(name), { reason: 'DELIVERED', door: 'HTTP' })).toBe(1);
    expect(sumOf(samples, COUNT(name), { reason: 'PUBACK_TIMEOUT', door: 'MQTT' })).toBe(1);
    expect(sumOf(samples, `${name}_sum`, { door: 'MQTT' })).toBe(5);
  });

  it('count hook calls, requests, decisions and deliveries', async () => {
    await tellAll();
    const samples = await scrape(port);
    const count = (entry: MetricEntry, labels: Record<string, string>) =>
      sumOf(samples, COUNT(prometheusName(entry)), labels);
    expect(
      count(METRICS.hookCalls, { rpc_method: 'emqx.exhook.v2.HookProvider/OnClientAuthorize', outcome: 'deny' }),
    ).toBe(1);
    expect(
      count(METRICS.httpRequests, { http_route: '/x', http_response_status_code: '504', error_type: 'PUBACK_TIMEOUT' }),
    ).toBe(1);
    expect(count(METRICS.decisions, { action: 'iot:SendDirectMessage', effect: 'allow' })).toBe(1);
    expect(count(METRICS.deliveries, { messaging_system: 'mqtt' })).toBe(1);
  });

  it('show the state of clients, connections, hooks and policies', async () => {
    await tellAll();
    const samples = await scrape(port);
    const value = (entry: MetricEntry, labels: Record<string, string> = {}) =>
      sumOf(samples, prometheusName(entry), labels);
    expect(value(METRICS.clients)).toBe(1);
    expect(value(METRICS.hooksLoaded)).toBe(1);
    expect(value(METRICS.brokerConnections, { state: 'ready' })).toBe(1);
    expect(value(METRICS.brokerConnections, { state: 'down' })).toBe(1);
    expect(value(METRICS.brokerConnections, { state: 'pluginMissing' })).toBe(0);
    expect(value(METRICS.shadow)).toBe(1);
    expect(value(METRICS.wouldDeny, { cause: 'implicitDeny' })).toBe(1);
    expect(value(METRICS.eventsMissed, { event: 'Publish-In' })).toBe(17);
    expect(value(METRICS.messages, { direction: 'in', qos: '1', topic_group: 'doors' })).toBe(7);
    expect(value(METRICS.messages, { direction: 'out', topic_group: '' })).toBe(14);
    expect(value(METRICS.messagesDropped, { reason: 'queue_full' })).toBe(3);
    expect(value(METRICS.connects, { outcome: 'banned' })).toBe(2);
    expect(value(METRICS.sessions, { outcome: 'expired' })).toBe(1);
    expect(value(METRICS.reloads, { outcome: 'loaded' })).toBe(1);
    expect(value(METRICS.policySetLoaded)).toBeCloseTo(Date.now() / 1000, -1);
    expect(value(METRICS.clientEvents, { event: 'Connect', reason: 'CONNECT_NOT_AUTHORIZED' })).toBe(1);
  });

  it('show what is under way, and end it also where a delivery fails', async () => {
    const pending = async () => sumOf(await scrape(port), prometheusName(METRICS.pending));
    let fail: (error: Error) => void = () => undefined;
    const delivery = telemetry.delivery(
      Object.assign(new FakeDelivery(), { deliver: () => new Promise<never>((_, reject) => (fail = reject)) }),
    );
    const outcome = delivery.deliver({} as never);
    expect(await pending()).toBe(1);
    fail(new Error('lost'));
    await expect(outcome).rejects.toThrow('lost');
    expect(await pending()).toBe(0);
  });

  it('tell policy sets apart by a number', async () => {
    const version = async (text: string) => {
      telemetry.events.tell('PolicyReload', { outcome: 'loaded', version: text });
      await new Promise(setImmediate);
      return sumOf(await scrape(port), prometheusName(METRICS.policySet));
    };
    expect(await version('00000000000fedcba9')).toBe(15);
    expect(await version('today')).not.toBe(await version('tomorrow'));
  });

  it('are all in the catalogue, with these labels and no others', async () => {
    await tellAll();
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const entries: MetricEntry[] = Object.values(METRICS);
    const known = new Map(entries.map((entry) => [prometheusName(entry), entry]));
    const served = [...text.matchAll(/^# TYPE (\S+)/gm)]
      .map(([, name]) => name)
      .filter((name) => name !== 'target_info');
    expect(served.sort()).toEqual([...known.keys()].sort());
    for (const key of readExposition(text).keys()) {
      const [, name = '', labels = ''] = /^([^{]+)(?:\{(.*)\})?$/.exec(key) ?? [];
      const entry = known.get(name.replace(/_(bucket|count|sum)$/, '')) ?? known.get(name);
      const allowedLabels = [...(entry?.labels ?? []).map((label) => label.replaceAll('.', '_')), 'le'];
      if (name === 'target_info') continue;
      for (const [, label] of labels.matchAll(/([a-z_]+)="/g))
        expect([name, allowedLabels]).toEqual([name, expect.arrayContaining([label])]);
    }
  });
});
