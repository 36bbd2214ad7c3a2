import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { Reason } from '../../../src/reasons.js';
import { METRICS, prometheusName, type MetricEntry } from '../../../src/telemetry/metrics/catalogue.js';
import { DOORS, post } from '../e2e/doors.js';
import { MOST_PENDING, RECEIVER_BURST, startApp, type App } from './app.js';
import { ALERTS, alertQueries, alerts, panelQueries } from './queries.js';
import { hasPrometheus, Prometheus } from './prometheus.js';

const queries = [...panelQueries(), ...alertQueries()];

describe('dashboards and alerts', () => {
  it('ask for metrics that there are', () => {
    const entries: MetricEntry[] = Object.values(METRICS);
    const known = new Set(entries.map(prometheusName));
    for (const { name, expr } of queries) {
      const asked = expr.match(/\b(tightbeam|http|rpc|messaging)_[a-z_]+(?=[[{ )]|$)/g) ?? [];
      const metrics = asked.map((metric) => metric.replace(/_(bucket|count|sum)$/, ''));
      const unknown = metrics.filter((metric, index) => !known.has(metric) && !known.has(asked[index] ?? ''));
      expect([name, unknown.filter((metric) => !/_(method|code)$/.test(metric))]).toEqual([name, []]);
    }
  });

  it('look at every metric somewhere', () => {
    const all = queries.map(({ expr }) => expr).join('\n');
    const unseen = Object.values(METRICS).filter((entry) => !all.includes(prometheusName(entry)));
    expect(unseen).toEqual([]);
  });

  it('have unique ids of panels and dashboards, and a description each', () => {
    const files = ['overview', 'message', 'policy', 'hooks', 'traffic'].map(
      (name) => `dashboards/grafana/dashboards/${name}.json`,
    );
    const dashboards = files.map(
      (file) =>
        JSON.parse(readFileSync(file, 'utf8')) as { uid: string; panels: { id: number; description: string }[] },
    );
    expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(files.length);
    for (const { panels } of dashboards) {
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      expect(panels.filter(({ description }) => description === '')).toEqual([]);
    }
  });

  it('of every alert there is a section that says what to do', () => {
    const page = existsSync('docs/operations.md') ? readFileSync('docs/operations.md', 'utf8') : '';
    const anchors = new Set(
      [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replace(/[^a-z0-9 -]/g, '')
          .replaceAll(' ', '-'),
      ),
    );
    for (const { annotations } of alerts()) {
      const [file, anchor = ''] = annotations.runbook_url.split('#');
      expect(file).toBe('{{ $externalLabels.runbooks }}/docs/operations.md');
      expect(anchors).toContain(anchor);
    }
  });
});

// On a machine without Prometheus there is nothing to ask; CI has it, and there its absence is a failure.
const described = hasPrometheus() || process.env['CI'] !== undefined ? describe : describe.skip;

/** What this application is not brought to in the way of the others. */
const ELSEWHERE: Readonly<Record<'HTTP' | 'MQTT', readonly Reason[]>> = {
  // The first two are brought about below, by limits of the configuration. The others take a broker that is away or has
  // no plugin (the embedded one is always there) and a defect: test/telemetry/e2e pretends them.
  HTTP: ['ACCOUNT_THROTTLED', 'RECEIVER_THROTTLED', 'BROKER_UNAVAILABLE', 'DELIVERY_PLUGIN_MISSING', 'INTERNAL_ERROR'],
  // Takes a smaller window than the embedded broker has here.
  MQTT: ['RECEIVER_THROTTLED'],
};

/**
 * Of an alert on what a defect alone gives, that the metric is there; promtool's tests give it the values. Nothing else
 * is made up: every series is from the application under real requests, MQTT clients and hook calls.
 */
const asked = (expr: string): string => expr.replace('{reason="INTERNAL_ERROR"}', '');

described('in a real Prometheus that scrapes the real application', () => {
  let app: App;
  let prometheus: Prometheus;
  beforeAll(async () => {
    app = await startApp();
    await produce('early');
    prometheus = await Prometheus.start(`127.0.0.1:${app.metricsPort}`);
    await prometheus.scraped(2);
    // Rates are of what happens between scrapes.
    await produce('late');
    await reachLimits();
    await prometheus.scraped(2 + (await prometheus.scrapes()));
  });

  async function through(door: 'HTTP' | 'MQTT', when: string): Promise<void> {
    for (const [reason, provoke] of Object.entries(DOORS[door])) {
      if (!ELSEWHERE[door].includes(reason as Reason)) await provoke(app, `${when}-${door}-${reason}`);
    }
  }

  /** Every outcome through both doors, and everything else that is counted. */
  async function produce(when: string): Promise<void> {
    await Promise.all((['HTTP', 'MQTT'] as const).map((door) => through(door, when)));
    await app.broker.connect('nobody-1').catch(() => undefined);
    const device = await app.broker.connect(`${when}-device`);
    await device.subscribeAsync('forbidden/a').catch(() => undefined);
    await device.publishAsync('forbidden/a', 'x', { qos: 1 }).catch(() => undefined);
    await device.endAsync();
    await app.reload();
  }

  async function reachLimits(): Promise<void> {
    for (let sent = 0; sent <= RECEIVER_BURST; sent += 1) await post(app, 'often');
    const silent = await app.broker.raw('silent');
    const posts = Array.from({ length: MOST_PENDING + 1 }, () => post(app, 'silent'));
    // The others wait for a PUBACK.
    await Promise.race(posts);
    silent.destroy();
    await Promise.all(posts);
  }

  afterAll(async () => {
    await prometheus.stop();
    await app.stop();
  });

  it('it has every metric of the catalogue', async () => {
    for (const entry of Object.values(METRICS)) {
      const name = `${prometheusName(entry)}${entry.kind === 'histogram' ? '_count' : ''}`;
      expect([name, (await prometheus.query(name)).length > 0]).toEqual([name, true]);
    }
  });

  it('it has every outcome that was brought about', async () => {
    const reasons = await prometheus.query('count by (reason, door) (tightbeam_direct_message_duration_count)');
    const counted = new Set(reasons.map(({ metric }) => `${metric['door']} ${metric['reason']}`));
    for (const door of ['HTTP', 'MQTT'] as const) {
      // The application does not learn of which operation these are.
      const unknown: readonly Reason[] = ['UNKNOWN_OPERATION', 'METHOD_NOT_ALLOWED', 'INVALID_REQUEST'];
      const expected = (Object.keys(DOORS[door]) as Reason[]).filter(
        (reason) => !ELSEWHERE[door].includes(reason) && !unknown.includes(reason),
      );
      if (door === 'HTTP') expected.push('ACCOUNT_THROTTLED', 'RECEIVER_THROTTLED');
      expect(expected.filter((reason) => !counted.has(`${door} ${reason}`))).toEqual([]);
    }
  });

  it.each(queries)('$name has data', async ({ expr }) => {
    const result = await prometheus.query(asked(expr));
    expect(result.length).toBeGreaterThan(0);
    // A quantile of what did not happen lately is not a number; of something it must be one.
    expect(result.some(({ value }) => value[1] !== 'NaN')).toBe(true);
  });

  it('the rules are valid, and each alert fires when it should and only then', () => {
    const run = (...parameters: string[]) => execFileSync('promtool', parameters, { encoding: 'utf8' });
    expect(run('check', 'rules', ALERTS)).toContain('SUCCESS');
    expect(run('test', 'rules', 'dashboards/prometheus/alerts.test.yml')).toContain('SUCCESS');
  });
});
