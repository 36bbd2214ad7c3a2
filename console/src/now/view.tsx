import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { REASONS } from '../../../src/reasons.js';
import type { HourReport } from '../../../src/observing/statistics.js';
import type { StatusReport } from '../../../src/observing/status.js';
import { askJson } from '../api.js';
import { milliseconds, plain, Problem, Status, Time } from '../parts/shown.js';
import { Table } from '../parts/table.js';
import { hrefTo } from '../router.js';
import { Chart } from './chart.js';

/** As long as a step of the statistics. */
const EVERY_MS = 10_000;
const MINUTE_MS = 60_000;

interface ServiceStatusReport extends StatusReport {
  readonly service: { readonly version: string; readonly broker: string; readonly ready: boolean };
  readonly shadow: boolean;
}
interface Seen {
  readonly status: ServiceStatusReport;
  readonly hour: HourReport;
}

/** How things are: rates and latencies of the last hour, the connections to the broker, and what is wrong. */
export function NowView(): JSX.Element {
  const [seen, setSeen] = useState<Seen | undefined>(undefined);
  const [problem, setProblem] = useState<unknown>(undefined);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let gone = false;
    const look = async (): Promise<void> => {
      try {
        const [status, hour] = await Promise.all([
          askJson<ServiceStatusReport>('/tightbeam/v1/status'),
          askJson<HourReport>('/tightbeam/v1/statistics'),
        ]);
        if (!gone) setSeen({ status, hour });
        if (!gone) setProblem(undefined);
      } catch (error) {
        if (!gone) setProblem(error);
      }
      if (!gone) timer = setTimeout(() => void look(), EVERY_MS);
    };
    void look();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, []);
  return (
    <>
      <div class="head">
        <h1>Now</h1>
        {seen !== undefined && (
          <span class="muted">
            Tightbeam {seen.status.service.version}, broker {seen.status.service.broker}, up since{' '}
            {new Date(seen.status.startedAt).toLocaleString()}
          </span>
        )}
      </div>
      {problem !== undefined && <Problem error={problem} doing="The state of the service cannot be shown." />}
      {seen !== undefined && <Overview {...seen} />}
    </>
  );
}

function Overview({ status, hour }: Seen): JSX.Element {
  const { steps, reasons, stepSeconds } = hour;
  const recent = steps.filter(({ at }) => Date.parse(at) > Date.now() - MINUTE_MS);
  const total = (rows: HourReport['steps'], key: 'count' | 'succeeded' | 'connects' | 'refused'): number =>
    rows.reduce((sum, row) => sum + row[key], 0);
  const inHour = total(steps, 'count');
  const share = inHour === 0 ? undefined : total(steps, 'succeeded') / inHour;
  const filled = fill(hour);
  return (
    <>
      <Wrong status={status} share={share} />
      <div class="cards">
        <Card name="messages a second, last minute" value={(total(recent, 'count') / 60).toFixed(1)} />
        <Card
          name={`succeeded of ${inHour} in the hour`}
          value={share === undefined ? '–' : `${(share * 100).toFixed(1)} %`}
        />
        <Card name="connects in the hour" value={String(total(steps, 'connects'))} />
        <Card name="refused connects" value={String(total(steps, 'refused'))} bad={total(steps, 'refused') > 0} />
      </div>
      <div class="columns">
        <section>
          <h2>Direct messages a second</h2>
          <Chart
            label="Direct messages a second over the last hour, succeeded and failed"
            moments={filled.map(({ at }) => at / 1000)}
            unit="/s"
            lines={[
              {
                name: 'succeeded',
                colour: 'ok',
                values: filled.map(({ step }) => (step?.succeeded ?? 0) / stepSeconds),
              },
              {
                name: 'failed',
                colour: 'bad',
                values: filled.map(({ step }) => ((step?.count ?? 0) - (step?.succeeded ?? 0)) / stepSeconds),
              },
            ]}
          />
        </section>
        <section>
          <h2>How long they took</h2>
          <Chart
            label="Latency of direct messages over the last hour: p50 and p99"
            moments={filled.map(({ at }) => at / 1000)}
            unit="ms"
            lines={[
              { name: 'p50', colour: 'accent', values: filled.map(({ step }) => step?.p50Ms) },
              { name: 'p99', colour: 'warn', values: filled.map(({ step }) => step?.p99Ms) },
            ]}
          />
        </section>
      </div>
      <h2>Outcomes of the last hour</h2>
      <Table
        label="Outcomes of direct messages in the last hour"
        rows={reasons}
        keyOf={({ reason }) => reason}
        empty={
          <>
            <p>No direct message in the last hour. Send one:</p>
            <pre tabIndex={0}>npx tightbeam send --client-id lock-17 --topic cmd/open --payload now</pre>
          </>
        }
        columns={[
          {
            name: 'Reason',
            value: ({ reason }) => reason,
            show: ({ reason }) => (
              <a href={hrefTo(['events'], new URLSearchParams({ reason }))}>
                <Status good={REASONS[reason].status === 'Success'}>{reason}</Status>
              </a>
            ),
          },
          { name: 'Messages', kind: 'number', value: ({ count }) => count },
          { name: 'p50', kind: 'number', value: ({ p50Ms }) => p50Ms, show: ({ p50Ms }) => milliseconds(p50Ms) },
          { name: 'p99', kind: 'number', value: ({ p99Ms }) => p99Ms, show: ({ p99Ms }) => milliseconds(p99Ms) },
          { name: 'What it means', value: ({ reason }) => REASONS[reason].meaning.replaceAll('`', '') },
        ]}
      />
      <h2>Connections to the broker</h2>
      <Table
        label="Connections to the broker"
        rows={status.connections}
        keyOf={({ clientId }) => clientId}
        empty={<p>None yet: the service connects by itself, and tries again until it can.</p>}
        columns={[
          {
            name: 'State',
            value: ({ state }) => state,
            show: ({ state }) => <Status good={state === 'ready'}>{STATES[state]}</Status>,
          },
          { name: 'Broker', value: ({ broker }) => plain(broker) },
          { name: 'Client ID', value: ({ clientId }) => clientId },
          { name: 'Since', value: ({ since }) => since, show: ({ since }) => <Time at={since} /> },
          {
            name: 'Last trouble',
            value: ({ lastError }) => (lastError === undefined ? '' : plain(lastError.details ?? lastError.state)),
          },
        ]}
      />
    </>
  );
}

const STATES = {
  ready: 'ready',
  pluginMissing: 'delivery plugin missing',
  refused: 'refused by the broker',
  down: 'down',
} as const;

const RUNBOOK = {
  ready: '',
  pluginMissing: 'Install and start the plugin on every node: npx tightbeam emqx doctor says what is missing.',
  refused: 'Look at broker.username and broker.password, and at the broker’s rule for $dm/#.',
  down: 'Look whether the broker runs, and whether broker.urls is its address.',
} as const;

/** What somebody is to do something about, or that there is nothing. */
function Wrong({
  status,
  share,
}: {
  readonly status: ServiceStatusReport;
  readonly share: number | undefined;
}): JSX.Element {
  const { connections, shadow, policies, service } = status;
  const states = [...new Set(connections.map(({ state }) => state))].filter((state) => state !== 'ready');
  const wrong = [
    ...states.map((state) => ({ what: `A connection to the broker: ${STATES[state]}.`, next: RUNBOOK[state] })),
    ...(service.ready ? [] : [{ what: 'No message can be delivered now.', next: 'The connections below say why.' }]),
    ...(shadow
      ? [
          {
            what: 'Policies are in shadow: what they deny goes on.',
            next: 'Look at WouldDeny events before you enforce them.',
          },
        ]
      : []),
    ...(policies?.lastReload.outcome === 'refused'
      ? [
          {
            what: `The policies could not be reloaded: ${plain(policies.lastReload.details ?? '')}`,
            next: 'The set before is in force. npx tightbeam policy check names file and line.',
          },
        ]
      : []),
    ...(share !== undefined && share < 0.95
      ? [
          {
            what: `Only ${(share * 100).toFixed(1)} % of messages succeeded in the last hour.`,
            next: 'The outcomes below lead to their events.',
          },
        ]
      : []),
  ];
  if (wrong.length === 0) {
    return (
      <div class="notice">
        <Status good>Nothing is wrong that the service knows of.</Status>
      </div>
    );
  }
  return (
    <>
      {wrong.map(({ what, next }) => (
        <div class="notice warn" key={what}>
          <p>
            <Status good="warn">{what}</Status>
          </p>
          <p>{next}</p>
        </div>
      ))}
    </>
  );
}

function Card({ name, value, bad = false }: { readonly name: string; readonly value: string; readonly bad?: boolean }) {
  return (
    <div class="panel card">
      <strong class={bad ? 'bad' : ''}>{value}</strong>
      <span class="muted small">{name}</span>
    </div>
  );
}

/** Steps in which nothing happened are there too. */
function fill({
  steps,
  stepSeconds,
}: HourReport): readonly { readonly at: number; readonly step?: HourReport['steps'][number] }[] {
  const stepMs = stepSeconds * 1000;
  const known = new Map(steps.map((step) => [Date.parse(step.at), step]));
  const last = Math.floor(Date.now() / stepMs) * stepMs;
  return Array.from({ length: 3_600_000 / stepMs }, (_, index) => {
    const at = last - 3_600_000 + (index + 1) * stepMs;
    const step = known.get(at);
    return { at, ...(step && { step }) };
  });
}
