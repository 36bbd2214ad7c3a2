import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { Reason } from '../../../src/reasons.js';
import { METRICS, prometheusName, type MetricEntry } from '../../../src/telemetry/metrics/catalogue.js';
import { DOORS } from '../e2e/doors.js';
import { startService, type Service } from '../e2e/service.js';
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
    const files = ['overview', 'message', 'policy', 'hooks'].map(
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
      expect(file).toBe('docs/operations.md');
      expect(anchors).toContain(anchor);
    }
  });
});

// On a machine without Prometheus there is nothing to ask; CI has it, and there its absence is a failure.
const described = hasPrometheus() || process.env['CI'] !== undefined ? describe : describe.skip;

described('in a real Prometheus that scrapes a real service', () => {
  let service: Service;
  let prometheus: Prometheus;
  beforeAll(async () => {
    service = await startService();
    await produce('early');
    prometheus = await Prometheus.start(`127.0.0.1:${service.metricsPort}`);
    await prometheus.scraped(2);
    // Rates are of what happens between scrapes.
    await produce('late');
    await prometheus.scraped(2 + (await prometheus.scrapes()));
  });

  /** Something of everything that is counted. */
  async function produce(when: string): Promise<void> {
    const reasons: Reason[] = ['DELIVERED', 'SENDER_NOT_AUTHORIZED', 'RECEIVER_NOT_AUTHORIZED', 'PUBACK_TIMEOUT'];
    for (const door of ['HTTP', 'MQTT'] as const) {
      for (const reason of reasons) await DOORS[door][reason]?.(service, `${when}-${door}-${reason}`);
    }
    await DOORS.HTTP.INTERNAL_ERROR?.(service, 'broken');
    await service.broker.connect('nobody-1').catch(() => undefined);
    await (await service.broker.connect(`${when}-device`)).endAsync();
    service.telemetry.events.policyReload({ outcome: 'refused', details: 'a test' });
  }

  afterAll(async () => {
    await prometheus.stop();
    await service.stop();
  });

  it.each(queries)('$name has data', async ({ expr }) => {
    const result = await prometheus.query(expr);
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
