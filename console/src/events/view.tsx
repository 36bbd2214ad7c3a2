import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { EVENT_TYPES } from './types.js';
import { REASONS } from '../../../src/reasons.js';
import { Copy, milliseconds, plain, Problem, shellWord, Status, Time } from '../parts/shown.js';
import { Table, type Column } from '../parts/table.js';
import { hrefTo, replaceQuery, route } from '../router.js';
import { EventStream, type Shown } from './stream.js';

/** Filters, each with the name that the long option of `tightbeam tail` has. */
const TEXTS = [
  { name: 'client-id', label: 'Client ID', hint: 'lock-*' },
  { name: 'topic', label: 'Topic', hint: 'cmd/*' },
  { name: 'principal-id', label: 'Principal', hint: 'backend' },
  { name: 'trace-id', label: 'Trace', hint: '32 hex digits' },
] as const;
const NAMES = [...TEXTS.map(({ name }) => name), 'reason', 'event-type', 'failures'];

/** What the console itself causes by being open. */
const OF_VIEWS: readonly string[] = ['ViewEvents', 'ViewStatus'];

/** The live tail, with its filters in the address, so that a link shows the same. */
export function EventsView(): JSX.Element {
  const { query } = route.value;
  const filters = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? undefined]));
  const key = JSON.stringify(filters);
  const stream = useMemo(() => new EventStream(filters), [key]);
  useEffect(
    () => () => {
      stream.close();
    },
    [stream],
  );
  const [search, setSearch] = useState('');
  const [withViews, setWithViews] = useState(false);
  const [open, setOpen] = useState<Shown | undefined>(undefined);
  const set = (name: string, value: string): void => {
    const changed = new URLSearchParams(query);
    if (value === '') changed.delete(name);
    else changed.set(name, value);
    replaceQuery(changed);
  };
  const events = stream.events.value;
  const words = search.toLowerCase();
  const asked = filters['event-type'] !== undefined || withViews;
  const found = events.filter(
    (event) =>
      (asked || !OF_VIEWS.includes(event.eventType)) &&
      (words === '' || JSON.stringify(event).toLowerCase().includes(words)),
  );
  const { state, problem, paused, missed } = stream;
  return (
    <>
      <div class="head">
        <h1>Events</h1>
        <span role="status">
          {state.value === 'live' ? (
            <Status good={paused.value ? 'warn' : true}>{paused.value ? 'Paused' : 'Live'}</Status>
          ) : (
            <Status good={state.value === 'connecting' ? 'warn' : false}>
              {state.value === 'connecting' ? 'Connecting' : 'Not connected'}
            </Status>
          )}{' '}
          <span class="muted">
            {events.length} kept{missed.value > 0 && `, ${missed.value} missed`}
          </span>
        </span>
        <span class="grow" />
        <div class="row">
          <button
            type="button"
            aria-pressed={paused.value}
            onClick={() => {
              stream.pause(!paused.value);
            }}
          >
            {paused.value ? 'Go on' : 'Pause'}
          </button>
          <Copy text={() => location.href}>Copy link</Copy>
          <Copy text={() => tailCommand(filters)}>Copy command</Copy>
        </div>
      </div>
      <div class="filters" role="search" aria-label="Filters">
        {TEXTS.map(({ name, label, hint }) => (
          <TextFilter key={name} {...{ name, label, hint, set }} value={query.get(name) ?? ''} />
        ))}
        <Choice label="Event" name="event-type" options={EVENT_TYPES} value={filters['event-type']} set={set} />
        <Choice label="Reason" name="reason" options={Object.keys(REASONS)} value={filters['reason']} set={set} />
        <label>
          <span>Search what is kept</span>
          <input
            type="search"
            value={search}
            onInput={(event) => {
              setSearch(event.currentTarget.value);
            }}
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={query.get('failures') === 'true'}
            onChange={(event) => {
              set('failures', event.currentTarget.checked ? 'true' : '');
            }}
          />
          <span>Only what failed</span>
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={withViews}
            onChange={(event) => {
              setWithViews(event.currentTarget.checked);
            }}
          />
          <span>Who looks, too</span>
        </label>
      </div>
      {problem.value !== undefined && <Problem error={problem.value} doing="The events cannot be shown." />}
      {open !== undefined && (
        <Details
          event={open}
          close={() => {
            setOpen(undefined);
          }}
        />
      )}
      <Table
        label="Events, the latest first"
        rows={found.toReversed()}
        keyOf={({ number }) => number}
        columns={columns(setOpen)}
        empty={<Nothing searched={words !== '' || Object.values(filters).some((value) => value !== undefined)} />}
      />
    </>
  );
}

function columns(open: (event: Shown) => void): readonly Column<Shown>[] {
  return [
    {
      name: 'Time',
      kind: 'nowrap',
      value: ({ timestamp }) => timestamp,
      show: ({ timestamp }) => <Time at={timestamp} />,
    },
    { name: 'Event', value: ({ eventType }) => eventType },
    {
      name: 'Outcome',
      value: (event) => outcomeOf(event),
      show: (event) => <Status good={event.status === 'Success'}>{outcomeOf(event)}</Status>,
    },
    {
      name: 'From',
      value: (event) => fromOf(event),
      show: (event) => <Client id={event.clientId} or={fromOf(event)} />,
    },
    {
      name: 'To',
      value: ({ targetClientId }) => targetClientId,
      show: ({ targetClientId }) => <Client id={targetClientId} or="" />,
    },
    { name: 'Topic', value: ({ topicName }) => plain(topicName ?? '') },
    {
      name: 'Took',
      kind: 'number',
      value: ({ durationMs }) => durationMs,
      show: (event) => milliseconds(event.durationMs),
    },
    { name: 'Decided by', value: (event) => deciderOf(event) },
    {
      name: 'Trace',
      value: ({ traceId }) => traceId,
      show: (event) => (
        <span class="row">
          <a href={hrefTo(['message', event.traceId])} class="mono" title={event.traceId}>
            {event.traceId.slice(0, 8)}
          </a>
          <button
            type="button"
            class="plain"
            aria-label={`JSON of event ${event.number}`}
            onClick={() => {
              open(event);
            }}
          >
            JSON
          </button>
        </span>
      ),
    },
  ];
}

export function outcomeOf({ reason, disconnectReason, status }: Shown): string {
  return reason ?? disconnectReason ?? status;
}

function fromOf({ clientId, principalId, sourceIp }: Shown): string {
  return plain(clientId ?? principalId ?? sourceIp ?? '');
}

function deciderOf({ policy, statement }: Shown): string {
  return [policy, statement].filter((part) => part !== undefined).join('/');
}

export function Client({ id, or }: { readonly id: string | undefined; readonly or: string }): JSX.Element {
  return id === undefined ? <>{or}</> : <a href={hrefTo(['device', id])}>{plain(id)}</a>;
}

/** Keeps what is being typed while events arrive and the view is drawn anew; it counts with Enter, or when the field is left. */
function TextFilter(properties: {
  readonly label: string;
  readonly name: string;
  readonly hint: string;
  readonly value: string;
  readonly set: (name: string, value: string) => void;
}): JSX.Element {
  const { label, name, hint, value, set } = properties;
  const [typed, setTyped] = useState(value);
  useEffect(() => {
    setTyped(value);
  }, [value]);
  return (
    <label>
      <span>{label}</span>
      <input
        class="mono"
        placeholder={hint}
        value={typed}
        onInput={(event) => {
          setTyped(event.currentTarget.value);
        }}
        onChange={(event) => {
          set(name, event.currentTarget.value.trim());
        }}
      />
    </label>
  );
}

function Choice(properties: {
  readonly label: string;
  readonly name: string;
  readonly options: readonly string[];
  readonly value: string | undefined;
  readonly set: (name: string, value: string) => void;
}): JSX.Element {
  const { label, name, options, value, set } = properties;
  return (
    <label>
      <span>{label}</span>
      <select
        value={value ?? ''}
        onChange={(event) => {
          set(name, event.currentTarget.value);
        }}
      >
        <option value="">any</option>
        {options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </select>
    </label>
  );
}

/** The record as it is, and what may be done with it. */
function Details({ event, close }: { readonly event: Shown; readonly close: () => void }): JSX.Element {
  // The number is the page's own.
  const text = JSON.stringify({ ...event, number: undefined }, undefined, 2);
  return (
    <section class="panel" aria-label="One event">
      <div class="head">
        <strong>{event.eventType}</strong>
        <span class="grow" />
        <Copy text={() => text}>Copy JSON</Copy>
        <Copy text={() => `npx tightbeam tail --json --trace-id ${event.traceId} | jq .`}>Copy command</Copy>
        <button type="button" onClick={close}>
          Close
        </button>
      </div>
      <pre tabIndex={0}>{plain(text).replaceAll(String.raw`\u{a}`, '\n')}</pre>
    </section>
  );
}

/** The same filters on the command line. */
function tailCommand(filters: Readonly<Record<string, string | undefined>>): string {
  const options = Object.entries(filters).flatMap(([name, value]) =>
    value === undefined ? [] : name === 'failures' ? ['--failures'] : [`--${name} ${shellWord(value)}`],
  );
  return ['npx tightbeam tail', ...options].join(' ');
}

function Nothing({ searched }: { readonly searched: boolean }): JSX.Element {
  if (searched)
    return <p>No event that is kept fits. The service keeps the last 10,000; take a filter away to see more.</p>;
  return (
    <>
      <p>Nothing has happened yet. Connect a device, or send it something:</p>
      <pre tabIndex={0}>npx tightbeam send --client-id lock-17 --topic cmd/open --payload now</pre>
    </>
  );
}
