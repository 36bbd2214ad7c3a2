import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { REASONS, RETRY, type Reason } from '../../../src/reasons.js';
import { ApiError, ask } from '../api.js';
import { Copy, milliseconds, plain, Status } from '../parts/shown.js';
import { hrefTo } from '../router.js';
import { session } from '../session.js';
import { callOf, LANGUAGES, snippet, type Draft, type Language } from './request.js';

interface Outcome {
  readonly good: boolean;
  readonly reason: string;
  readonly message: string;
  readonly traceId?: string;
  readonly tookMs: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Sends as the person who is signed in: the policies decide, and what is sent is shown nowhere but here. */
export function SendForm({ clientId }: { readonly clientId: string }): JSX.Element {
  const [draft, setDraft] = useState<Draft>({
    kind: 'message',
    clientId,
    topic: 'cmd/open',
    payload: '',
    confirmation: true,
    timeout: '',
    contentType: '',
    responseTopic: '',
    userProperties: [],
  });
  const [properties, setProperties] = useState('');
  const [outcome, setOutcome] = useState<Outcome | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const [language, setLanguage] = useState<Language>('curl');
  const whole: Draft = { ...draft, userProperties: readProperties(properties) };
  const change = (changed: Partial<Draft>): void => {
    setDraft((before) => ({ ...before, ...changed }));
  };
  const text = (
    name: 'topic' | 'timeout' | 'contentType' | 'responseTopic',
    label: string,
    hint: string,
    required = false,
  ) => (
    <label>
      <span>{label}</span>
      <input
        class="mono"
        value={draft[name]}
        placeholder={hint}
        required={required}
        onInput={(event) => {
          change({ [name]: event.currentTarget.value });
        }}
      />
    </label>
  );
  const about = session.value?.about;
  const place = { endpoint: about?.endpoint ?? '', region: about?.region ?? 'us-east-1' };
  return (
    <section class="panel" aria-label="Send">
      <h2>Send to it</h2>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          setBusy(true);
          void send(whole).then((became) => {
            setOutcome(became);
            setBusy(false);
          });
        }}
      >
        <div class="pair">
          <label>
            <span>As</span>
            <select
              value={draft.kind}
              onChange={(event) => {
                change({ kind: event.currentTarget.value as Draft['kind'] });
              }}
            >
              <option value="message">a message</option>
              <option value="request">a request: its answer is waited for</option>
            </select>
          </label>
          {text('topic', 'Topic', 'cmd/open', true)}
        </div>
        <label>
          <span>Payload</span>
          <textarea
            value={draft.payload}
            spellcheck={false}
            onInput={(event) => {
              change({ payload: event.currentTarget.value });
            }}
          />
        </label>
        <details>
          <summary>Properties and timeout</summary>
          <div class="form">
            <div class="pair">
              {text('timeout', 'Timeout, seconds', '5')}
              {text('contentType', 'Content type', 'application/json')}
              {text('responseTopic', 'Response topic', 'answers/1')}
            </div>
            <label>
              <span>User properties, a line each: name=value</span>
              <textarea
                value={properties}
                onInput={(event) => {
                  setProperties(event.currentTarget.value);
                }}
              />
            </label>
          </div>
        </details>
        {draft.kind === 'message' && (
          <label class="check">
            <input
              type="checkbox"
              checked={draft.confirmation}
              onChange={(event) => {
                change({ confirmation: event.currentTarget.checked });
              }}
            />
            <span>Wait until the device has acknowledged it</span>
          </label>
        )}
        <div>
          <button class="primary" type="submit" disabled={busy}>
            {busy ? 'Waiting for the outcome…' : 'Send'}
          </button>
        </div>
      </form>
      <div aria-live="polite">{outcome !== undefined && <Became outcome={outcome} />}</div>
      <h2>The same from elsewhere</h2>
      <div class="row">
        {LANGUAGES.map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={name === language}
            onClick={() => {
              setLanguage(name);
            }}
          >
            {name}
          </button>
        ))}
        <Copy text={() => snippet(language, whole, place)}>Copy</Copy>
      </div>
      <pre tabIndex={0}>{snippet(language, whole, place)}</pre>
    </section>
  );
}

function readProperties(text: string): Draft['userProperties'] {
  return text
    .split('\n')
    .filter((line) => line.includes('='))
    .map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1).trim()]);
}

async function send(draft: Draft): Promise<Outcome> {
  const { path, query, headers, body } = callOf(draft);
  const began = performance.now();
  const tookMs = (): number => performance.now() - began;
  try {
    const response = await ask(path, { method: 'POST', query, headers, body });
    const answer = (await response.json()) as Record<string, unknown>;
    const reason = draft.kind === 'request' ? 'ANSWERED' : draft.confirmation ? 'DELIVERED' : 'DISPATCHED';
    return outcomeOf(true, reason, answer, tookMs());
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { reason = 'NO_ANSWER', message, traceId, body: answer } = error;
    return outcomeOf(false, reason, { message, traceId, ...answer }, tookMs());
  }
}

function outcomeOf(good: boolean, reason: string, body: Readonly<Record<string, unknown>>, tookMs: number): Outcome {
  const { message, traceId } = body;
  return {
    good,
    reason,
    message: typeof message === 'string' ? message : '',
    ...(typeof traceId === 'string' && { traceId }),
    tookMs,
    body,
  };
}

function Became({ outcome }: { readonly outcome: Outcome }): JSX.Element {
  const { good, reason, message, traceId, tookMs, body } = outcome;
  const entry = Object.hasOwn(REASONS, reason) ? REASONS[reason as Reason] : undefined;
  return (
    <div class={`notice ${good ? '' : 'bad'}`}>
      <p>
        <Status good={good}>{reason}</Status> <span class="muted">after {milliseconds(tookMs)}</span>
      </p>
      <p>{plain(message)}</p>
      {!good && entry !== undefined && <p>Again? {RETRY[entry.retry].replaceAll('`', '')}</p>}
      {typeof body['response'] === 'object' && (
        <pre tabIndex={0}>
          {plain(JSON.stringify(body['response'], undefined, 2)).replaceAll(String.raw`\u{a}`, '\n')}
        </pre>
      )}
      {traceId !== undefined && (
        <p>
          <a href={hrefTo(['message', traceId])}>What became of it, step by step</a>
        </p>
      )}
    </div>
  );
}
