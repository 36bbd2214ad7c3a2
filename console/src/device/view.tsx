import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError, ask, askJson } from '../api.js';
import { plain, Problem, Status, Time } from '../parts/shown.js';
import { Table } from '../parts/table.js';
import { goTo, hrefTo, route } from '../router.js';
import { SendForm } from './send.js';

interface Connection {
  readonly clientId: string;
  readonly connected: boolean;
  readonly cleanSession?: boolean;
  readonly keepAliveDuration?: number;
  readonly sessionExpiry?: number;
  readonly connectedSince?: number | string;
  readonly disconnectedSince?: number | string;
  readonly disconnectReason?: string;
  readonly sourceIp?: string;
  readonly sourcePort?: number;
}
interface Subscription {
  readonly topicFilter: string;
  readonly qos: number;
}

/** What a device is, has and may; and what can be done with it. */
export function DeviceView(): JSX.Element {
  const [, clientId = ''] = route.value.path;
  return (
    <>
      <div class="head">
        <h1>{clientId === '' ? 'Device' : plain(clientId)}</h1>
        <span class="grow" />
        <form
          class="row"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            const field = event.currentTarget.elements.namedItem('client') as HTMLInputElement;
            if (field.value !== '') goTo(['device', field.value]);
          }}
        >
          <label>
            <span class="skip">Client ID</span>
            <input name="client" class="mono" placeholder="Client ID" required aria-label="Client ID" />
          </label>
          <button type="submit">Look it up</button>
        </form>
      </div>
      {clientId === '' ? <Nobody /> : <Known key={clientId} clientId={clientId} />}
    </>
  );
}

function Known({ clientId }: { readonly clientId: string }): JSX.Element {
  const [turn, setTurn] = useState(0);
  const again = (): void => {
    setTurn((before) => before + 1);
  };
  return (
    <div class="columns">
      <div>
        <ConnectionPanel clientId={clientId} turn={turn} again={again} />
        <h2>Subscriptions</h2>
        <Subscriptions clientId={clientId} turn={turn} />
        <p>
          <a href={hrefTo(['events'], new URLSearchParams({ 'client-id': clientId }))}>Its events</a> ·{' '}
          <a
            href={hrefTo(
              ['policies'],
              new URLSearchParams({ ask: 'who-can', action: 'iot:SendDirectMessage', resource: `client/${clientId}` }),
            )}
          >
            Who may send to it
          </a>{' '}
          ·{' '}
          <a href={hrefTo(['policies'], new URLSearchParams({ ask: 'what-can', username: clientId, clientId }))}>
            What it may do
          </a>
        </p>
      </div>
      <SendForm clientId={clientId} />
    </div>
  );
}

interface Asked<T> {
  readonly value?: T;
  readonly problem?: unknown;
}

function useAsked<T>(path: string, turn: number): Asked<T> {
  const [state, setState] = useState<Asked<T>>({});
  useEffect(() => {
    let current = true;
    askJson<T>(path).then(
      (value) => {
        if (current) setState({ value });
      },
      (problem: unknown) => {
        if (current) setState({ problem });
      },
    );
    return () => {
      current = false;
    };
  }, [path, turn]);
  return state;
}

function ConnectionPanel(properties: { readonly clientId: string; readonly turn: number; readonly again: () => void }) {
  const { clientId, turn, again } = properties;
  const path = `/connections/${encodeURIComponent(clientId)}`;
  const { value, problem } = useAsked<Connection>(`${path}?includeSocketInformation=true`, turn);
  const [failed, setFailed] = useState<unknown>(undefined);
  const disconnect = (): void => {
    if (!confirm(`Disconnect ${plain(clientId)}? Most clients connect again by themselves.`)) return;
    ask(path, { method: 'DELETE' }).then(again).catch(setFailed);
  };
  if (problem instanceof ApiError && problem.status === 404) {
    return (
      <section class="panel">
        <Status good={false}>Not connected</Status>
        <p class="muted">The broker knows no session of this client ID. Its last events say why it went.</p>
      </section>
    );
  }
  return (
    <section class="panel" aria-label="Connection">
      {problem !== undefined && <Problem error={problem} doing="Its connection cannot be shown." />}
      {failed !== undefined && <Problem error={failed} doing="It was not disconnected." />}
      {value !== undefined && (
        <>
          <p class="row">
            <Status good={value.connected}>{value.connected ? 'Connected' : 'Not connected, with a session'}</Status>
            <span class="grow" />
            <button type="button" onClick={again}>
              Look again
            </button>
            {value.connected && (
              <button type="button" class="danger" onClick={disconnect}>
                Disconnect
              </button>
            )}
          </p>
          <dl>
            <dt>Since</dt>
            <dd>
              <Time at={value.connected ? value.connectedSince : value.disconnectedSince} />
            </dd>
            {value.sourceIp !== undefined && (
              <>
                <dt>From</dt>
                <dd class="mono">
                  {value.sourceIp}:{value.sourcePort}
                </dd>
              </>
            )}
            <dt>Keep alive</dt>
            <dd>{value.keepAliveDuration === undefined ? 'not told' : `${value.keepAliveDuration} s`}</dd>
            <dt>Session</dt>
            <dd>
              {value.cleanSession === true
                ? 'ends with the connection'
                : `outlives it by ${value.sessionExpiry ?? '?'} s`}
            </dd>
            {value.disconnectReason !== undefined && (
              <>
                <dt>Left because</dt>
                <dd>{value.disconnectReason}</dd>
              </>
            )}
          </dl>
        </>
      )}
    </section>
  );
}

function Subscriptions({ clientId, turn }: { readonly clientId: string; readonly turn: number }): JSX.Element | null {
  const { value, problem } = useAsked<{ readonly subscriptions: readonly Subscription[] }>(
    `/connections/${encodeURIComponent(clientId)}/subscriptions`,
    turn,
  );
  if (problem instanceof ApiError && problem.status === 404) return <p class="muted">None: it has no session.</p>;
  if (problem !== undefined) return <Problem error={problem} doing="Its subscriptions cannot be shown." />;
  if (value === undefined) return null;
  return (
    <Table
      label="Subscriptions"
      rows={value.subscriptions}
      keyOf={({ topicFilter }) => topicFilter}
      columns={[
        { name: 'Topic filter', value: ({ topicFilter }) => plain(topicFilter) },
        { name: 'QoS', kind: 'number', value: ({ qos }) => qos },
      ]}
      empty={<p>None. A direct message reaches it all the same.</p>}
    />
  );
}

function Nobody(): JSX.Element {
  return (
    <div class="panel empty">
      <p>Look a device up by its MQTT client ID, or follow one from the events. To connect one here:</p>
      <pre tabIndex={0}>mosquitto_sub -p 1883 -i lock-17 -u lock-17 -P lock-17 -t 'state/lock-17/ignored' -v</pre>
    </div>
  );
}
