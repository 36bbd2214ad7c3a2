import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { REASONS, RETRY } from '../../../src/reasons.js';
import { ApiError, ask, askJson } from '../api.js';
import { outcomeOf, Client } from '../events/view.js';
import type { Shown } from '../events/stream.js';
import { milliseconds, plain, Problem, Status, Time } from '../parts/shown.js';
import { Explained, type Explanation } from '../policies/explained.js';
import { goTo, route } from '../router.js';
import { session } from '../session.js';

/** One message, or whatever else a trace is of: what happened, when, who decided, and what to do next. */
export function MessageView(): JSX.Element {
  const [, traceId = ''] = route.value.path;
  const [events, setEvents] = useState<readonly Shown[] | undefined>(undefined);
  const [problem, setProblem] = useState<unknown>(undefined);
  useEffect(() => {
    const controller = new AbortController();
    const query = { 'trace-id': traceId, last: '1000', follow: 'false' };
    setEvents(undefined);
    setProblem(undefined);
    if (traceId === '') return undefined;
    ask('/tightbeam/v1/events', { query, signal: controller.signal })
      .then((response) => response.text())
      .then((text) => {
        const lines = text.split('\n').filter((line) => line !== '');
        setEvents(
          lines.map((line, number) => ({ ...(JSON.parse(line) as Shown), number })).filter((one) => 'traceId' in one),
        );
      })
      .catch((error: unknown) => {
        if (!controller.signal.aborted) setProblem(error);
      });
    return () => {
      controller.abort();
    };
  }, [traceId]);
  const main = events?.find(({ eventType }) => eventType === 'SendDirectMessage') ?? events?.at(-1);
  return (
    <>
      <div class="head">
        <h1>{main?.eventType === 'SendDirectMessage' || main === undefined ? 'Message' : main.eventType}</h1>
        <span class="mono muted">{traceId}</span>
        <TraceLink traceId={traceId} />
      </div>
      {problem !== undefined && <Problem error={problem} doing="The trace cannot be shown." />}
      {events?.length === 0 && <Unknown />}
      {main !== undefined && events !== undefined && <Whole main={main} events={events} />}
    </>
  );
}

function Whole({ main, events }: { readonly main: Shown; readonly events: readonly Shown[] }): JSX.Element {
  const entry = main.reason === undefined ? undefined : REASONS[main.reason];
  return (
    <div class="columns">
      <div>
        <section class="panel">
          <p>
            <strong>
              <Status good={main.status === 'Success'}>{outcomeOf(main)}</Status>
            </strong>{' '}
            {main.durationMs !== undefined && <span class="muted">after {milliseconds(main.durationMs)}</span>}
          </p>
          {entry !== undefined && <p>{entry.meaning.replaceAll('`', '')}</p>}
          {main.details !== undefined && <p class="muted">{plain(main.details)}</p>}
          <dl>
            <Fact name="To">
              <Client id={main.targetClientId} or="" />
            </Fact>
            <Fact name="Topic">{plain(main.topicName ?? '')}</Fact>
            <Fact name="From">
              <Client id={main.clientId} or={plain(main.principalId ?? main.sourceIp ?? '')} />
            </Fact>
            <Fact name="Through">{main.protocol}</Fact>
            <Fact name="Address">{main.sourceIp}</Fact>
            <Fact name="Payload">{main.payloadBytes === undefined ? undefined : `${main.payloadBytes} bytes`}</Fact>
            <Fact name="QoS">{main.qos}</Fact>
            <Fact name="Written">{main.written}</Fact>
            <Fact name="Device’s code">
              {main.deviceCode === undefined
                ? undefined
                : `0x${main.deviceCode.toString(16)} ${plain(main.deviceReason ?? '')}`}
            </Fact>
          </dl>
        </section>
        <h2>Timeline</h2>
        <ol class="timeline">
          {stepsOf(main, events).map(({ at, name, good, text }, index) => (
            <li key={index} class={good === undefined ? '' : good ? 'ok' : 'bad'}>
              <span class="at">{at}</span>
              <span>
                <strong>{name}</strong>
                <br />
                <span class="muted">{text}</span>
              </span>
            </li>
          ))}
        </ol>
      </div>
      <div>
        {entry !== undefined && (
          <section class="panel">
            <h2>Is it safe to send it again?</h2>
            <p>{RETRY[entry.retry].replaceAll('`', '')}</p>
            <List title="Likely causes" items={entry.causes} />
            <List title="What to do next" items={entry.next} />
          </section>
        )}
        <h2>Decisions</h2>
        <Decisions main={main} events={events} />
        <h2>All events of this trace</h2>
        {events.map((event) => (
          <details key={event.number} class="panel">
            <summary>
              {event.eventType} <Status good={event.status === 'Success'}>{outcomeOf(event)}</Status>{' '}
              <Time at={event.timestamp} />
            </summary>
            <pre tabIndex={0}>{plain(JSON.stringify(event, undefined, 2)).replaceAll(String.raw`\u{a}`, '\n')}</pre>
          </details>
        ))}
      </div>
    </div>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children?: preact.ComponentChildren }) {
  if (children === undefined || children === '') return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function List({ title, items }: { readonly title: string; readonly items: readonly string[] }): JSX.Element | null {
  if (items.length === 0) return null;
  return (
    <>
      <h2>{title}</h2>
      <ul>
        {items.map((item) => (
          <li key={item}>{item.replaceAll('`', '')}</li>
        ))}
      </ul>
    </>
  );
}

interface StepShown {
  readonly at: string;
  readonly name: string;
  readonly text: string;
  readonly good?: boolean;
}

/** The way of a message, as far as its events tell: what nobody told of is not made up. */
function stepsOf(main: Shown, events: readonly Shown[]): readonly StepShown[] {
  if (main.eventType !== 'SendDirectMessage') {
    return events.map((event) => ({
      at: event.timestamp?.slice(11, 23) ?? '',
      name: event.eventType,
      text: plain(outcomeOf(event)),
      good: event.status === 'Success',
    }));
  }
  const receive = events.find(({ eventType }) => eventType === 'Receive');
  const refused = main.reason === 'SENDER_NOT_AUTHORIZED';
  const allowed = main.policy !== undefined && !refused;
  const receiverRefused = main.reason === 'RECEIVER_NOT_AUTHORIZED';
  const steps: (StepShown | undefined)[] = [
    {
      at: '0 ms',
      name: main.protocol === 'MQTT' ? 'Published to $dm/' : 'Requested over HTTP',
      text: `by ${plain(main.principalId ?? main.clientId ?? 'somebody')}`,
    },
    allowed || refused
      ? {
          at: '',
          name: allowed ? 'Sender allowed' : 'Sender denied',
          text: main.policy === undefined ? (main.cause ?? '') : `by ${main.policy}/${main.statement ?? ''}`,
          good: allowed,
        }
      : undefined,
    receive !== undefined || receiverRefused
      ? {
          at: '',
          name: 'Receiver denied',
          text: plain(receive?.policy ?? receive?.cause ?? 'by its policies'),
          good: false,
        }
      : undefined,
    main.written === 'yes' || main.written === 'unknown'
      ? {
          at: '',
          name: main.written === 'yes' ? 'Written to the device' : 'Perhaps written to the device',
          text: `connection of ${plain(main.targetClientId ?? '')}`,
          good: main.written === 'yes',
        }
      : undefined,
    {
      at: milliseconds(main.durationMs),
      name: outcomeOf(main),
      text: REASONS[main.reason ?? 'INTERNAL_ERROR'].message,
      good: main.status === 'Success',
    },
  ];
  return steps.filter((step) => step !== undefined);
}

/** Both decisions as the policies in force make them now, with each statement that had a say. */
function Decisions({ main, events }: { readonly main: Shown; readonly events: readonly Shown[] }): JSX.Element {
  const told = events.filter(({ policy, cause }) => policy !== undefined || cause !== undefined);
  const asked =
    main.eventType === 'SendDirectMessage'
      ? [
          {
            who: 'Sender',
            body: {
              ...senderOf(main),
              action: 'iot:SendDirectMessage',
              resource: `client/${main.targetClientId ?? ''}`,
              context: { 'iot:Topic': main.topicName ?? '' },
            },
          },
          {
            who: 'Receiver',
            body: { ...receiverOf(main), action: 'iot:Receive', resource: `topic/${main.topicName ?? ''}` },
          },
        ]
      : [];
  return (
    <>
      {told.map((event) => (
        <p key={event.number}>
          <Status good={event.action === undefined}>
            {event.action === undefined ? 'Allowed' : 'Denied'} at the time
          </Status>{' '}
          <code>{[event.policy, event.statement].filter(Boolean).join('/') || event.cause}</code>
        </p>
      ))}
      {asked.map(({ who, body }) => (
        <Asked key={who} who={who} body={body} />
      ))}
      {told.length === 0 && asked.length === 0 && <p class="muted">No decision was made about it.</p>}
    </>
  );
}

function senderOf({ principalId, clientId, username, accessKeyId, jwtSubject, commonName }: Shown): object {
  return {
    ...(principalId !== undefined && username === undefined && accessKeyId === undefined && { principal: principalId }),
    ...(clientId !== undefined && { clientId }),
    ...(username !== undefined && { username }),
    ...(accessKeyId !== undefined && { accessKeyId }),
    ...(jwtSubject !== undefined && { jwtSubject }),
    ...(commonName !== undefined && { commonName }),
  };
}

/** Devices mostly have their client ID as their username; where not, the Device view asks with another. */
function receiverOf({ targetClientId = '' }: Shown): object {
  return { clientId: targetClientId, username: targetClientId };
}

function Asked({ who, body }: { readonly who: string; readonly body: object }): JSX.Element | null {
  const [answer, setAnswer] = useState<Explanation | undefined>(undefined);
  const [problem, setProblem] = useState<unknown>(undefined);
  const key = JSON.stringify(body);
  useEffect(() => {
    askJson<Explanation>('/tightbeam/v1/policy/explain', { method: 'POST', body: key })
      .then(setAnswer)
      .catch(setProblem);
  }, [key]);
  if (problem instanceof ApiError && problem.status === 403) {
    return <p class="muted">{who}: to see why, you need tightbeam:ExplainPolicy on what was asked.</p>;
  }
  if (problem !== undefined) return <Problem error={problem} doing={`${who}: not explained.`} />;
  return answer === undefined ? null : <Explained title={`${who}, by the policies in force`} answer={answer} />;
}

function TraceLink({ traceId }: { readonly traceId: string }): JSX.Element | null {
  const url = session.value?.about.traceUrl;
  if (url === undefined || traceId === '') return null;
  return (
    <a href={url.replace('{traceId}', encodeURIComponent(traceId))} rel="noreferrer" target="_blank">
      Open the trace
    </a>
  );
}

function Unknown(): JSX.Element {
  return (
    <div class="panel empty">
      <p>None of the last 10,000 events has this trace, or none that you may see.</p>
      <p>Older ones are in the log, under the same traceId.</p>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          const field = event.currentTarget.elements.namedItem('trace') as HTMLInputElement;
          goTo(['message', field.value.trim()]);
        }}
      >
        <label>
          <span>Another trace</span>
          <input name="trace" required pattern="[0-9a-f]{32}" class="mono" size={36} />
        </label>
        <button type="submit">Look it up</button>
      </form>
    </div>
  );
}
