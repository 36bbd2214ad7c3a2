import { useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { askJson } from '../api.js';
import { ACTION_NAMES } from '../../../src/policy/actions.js';
import { Copy, plain, Problem, shellWord } from '../parts/shown.js';
import { Table } from '../parts/table.js';
import { replaceQuery, route } from '../router.js';
import { Explained, type Explanation } from './explained.js';

const QUESTIONS = [
  { name: 'explain', title: 'May it?' },
  { name: 'who-can', title: 'Who can?' },
  { name: 'what-can', title: 'What can?' },
] as const;
type Question = (typeof QUESTIONS)[number]['name'];

interface Grant {
  readonly principal: string;
  readonly policy?: string;
  readonly statement?: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly [name: string]: unknown;
}
interface Permission {
  readonly action: string;
  readonly resource: string;
  readonly exceptResource: boolean;
  readonly conditions: readonly string[];
  readonly policy: string;
  readonly statement: string;
}
type Answer =
  | { readonly of: 'explain'; readonly told: Explanation }
  | {
      readonly of: 'who-can';
      readonly told: { readonly grants: readonly Grant[]; readonly unclear: readonly unknown[] };
    }
  | {
      readonly of: 'what-can';
      readonly told: {
        readonly principal: string;
        readonly allowed: readonly Permission[];
        readonly denied: readonly Permission[];
      };
    };

/** Questions to the policies in force: the same as `tightbeam policy explain`, `who-can` and `what-can` ask. */
export function PoliciesView(): JSX.Element {
  const { query } = route.value;
  const question = (query.get('ask') ?? 'explain') as Question;
  const [answer, setAnswer] = useState<Answer | undefined>(undefined);
  const [problem, setProblem] = useState<unknown>(undefined);
  const [busy, setBusy] = useState(false);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const asked = new URLSearchParams({ ask: question });
    for (const [name, value] of fields) if (typeof value === 'string' && value !== '') asked.set(name, value);
    replaceQuery(asked);
    setBusy(true);
    setProblem(undefined);
    askJson<never>(`/tightbeam/v1/policy/${question}`, {
      method: 'POST',
      body: JSON.stringify(bodyOf(question, asked)),
    })
      .then((told) => {
        setAnswer({ of: question, told });
      })
      .catch((error: unknown) => {
        setAnswer(undefined);
        setProblem(error);
      })
      .finally(() => {
        setBusy(false);
      });
  };
  const field = (name: string, label: string, hint: string, required = false): JSX.Element => (
    <label key={name}>
      <span>{label}</span>
      <input name={name} class="mono" placeholder={hint} defaultValue={query.get(name) ?? ''} required={required} />
    </label>
  );
  return (
    <>
      <div class="head">
        <h1>Policies</h1>
        <span class="muted">Questions to the policies in force. The console changes none.</span>
      </div>
      <div class="tabs" role="tablist" aria-label="Questions">
        {QUESTIONS.map(({ name, title }) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={name === question}
            onClick={() => {
              setAnswer(undefined);
              setProblem(undefined);
              replaceQuery(new URLSearchParams({ ask: name }));
            }}
          >
            {title}
          </button>
        ))}
      </div>
      <div class="columns">
        <form class="form panel" onSubmit={submit} key={question}>
          {question !== 'who-can' && (
            <div class="pair">
              {field('principal', 'Principal', 'lock')}
              {field('username', 'Username', 'lock-17')}
              {field('clientId', 'Client ID', 'lock-17')}
              {field('accessKeyId', 'Access key', 'AKIA…')}
            </div>
          )}
          {question !== 'what-can' && (
            <div class="pair">
              <label>
                <span>Action</span>
                <select name="action" defaultValue={query.get('action') ?? 'iot:SendDirectMessage'}>
                  {ACTION_NAMES.map((name) => (
                    <option key={name} selected={name === (query.get('action') ?? 'iot:SendDirectMessage')}>
                      {name}
                    </option>
                  ))}
                </select>
              </label>
              {field('resource', 'On', 'client/lock-17', true)}
              {field('topic', 'Topic of a direct message', 'cmd/open')}
            </div>
          )}
          <div class="row">
            <button class="primary" type="submit" disabled={busy}>
              {busy ? 'Asking…' : 'Ask'}
            </button>
            <Copy text={() => commandOf(question, query)}>Copy command</Copy>
          </div>
        </form>
        <div aria-live="polite">
          {problem !== undefined && <Problem error={problem} doing="No answer." />}
          {answer === undefined && problem === undefined && <Nothing question={question} />}
          {answer?.of === 'explain' && <Explained title="The decision" answer={answer.told} />}
          {answer?.of === 'who-can' && <WhoCan {...answer.told} />}
          {answer?.of === 'what-can' && (
            <>
              <h2>What {plain(answer.told.principal)} may do</h2>
              <Permissions label="Allowed" rows={answer.told.allowed} empty="Nothing at all." />
              {answer.told.denied.length > 0 && (
                <>
                  <h2>Except</h2>
                  <Permissions label="Denied" rows={answer.told.denied} empty="" />
                </>
              )}
            </>
          )}
        </div>
      </div>
    </>
  );
}

function bodyOf(question: Question, asked: URLSearchParams): object {
  const of = (...names: readonly string[]): Record<string, string> =>
    Object.fromEntries(names.flatMap((name) => (asked.has(name) ? [[name, asked.get(name) ?? '']] : [])));
  const asker = of('principal', 'username', 'clientId', 'accessKeyId');
  switch (question) {
    case 'explain': {
      const topic = asked.get('topic');
      return { ...asker, ...of('action', 'resource'), ...(topic !== null && { context: { 'iot:Topic': topic } }) };
    }
    case 'who-can':
      return of('action', 'resource', 'topic');
    case 'what-can':
      return asker;
  }
}

/** The same question on the command line. */
function commandOf(question: Question, query: URLSearchParams): string {
  const option = (name: string, long: string): string[] =>
    query.has(name) ? [`--${long} ${shellWord(query.get(name) ?? '')}`] : [];
  const words = [
    ...option('principal', 'principal'),
    ...option('username', 'username'),
    ...option('clientId', 'client-id'),
    ...option('accessKeyId', 'access-key-id'),
    ...option('action', 'action'),
    ...option('resource', 'resource'),
    ...option('topic', 'topic'),
  ];
  return [`npx tightbeam policy ${question}`, ...words].join(' ');
}

function WhoCan({ grants, unclear }: { readonly grants: readonly Grant[]; readonly unclear: readonly unknown[] }) {
  return (
    <>
      <h2>Who can</h2>
      <Table
        label="Who can"
        rows={grants}
        keyOf={(_grant, index) => index}
        empty={<p>Nobody can.</p>}
        columns={[
          { name: 'Principal', value: ({ principal }) => plain(principal) },
          {
            name: 'By',
            value: ({ policy, statement }) => [policy, statement].filter((part) => part !== undefined).join('/'),
          },
          { name: 'For instance', value: ({ request }) => plain(JSON.stringify(request)) },
        ]}
      />
      {unclear.length > 0 && (
        <div class="notice warn">
          <p>Not settled for {unclear.length} principals:</p>
          <pre tabIndex={0}>{plain(JSON.stringify(unclear, undefined, 2)).replaceAll(String.raw`\u{a}`, '\n')}</pre>
        </div>
      )}
    </>
  );
}

function Permissions(properties: {
  readonly label: string;
  readonly rows: readonly Permission[];
  readonly empty: string;
}): JSX.Element {
  return (
    <Table
      label={properties.label}
      rows={properties.rows}
      keyOf={(_row, index) => index}
      empty={<p>{properties.empty}</p>}
      columns={[
        { name: 'Action', value: ({ action }) => action },
        {
          name: 'Resource',
          value: ({ resource, exceptResource }) => `${exceptResource ? 'all but ' : ''}${plain(resource)}`,
        },
        { name: 'Where', value: ({ conditions }) => plain(conditions.join(' and ')) },
        { name: 'By', value: ({ policy, statement }) => `${policy}/${statement}` },
      ]}
    />
  );
}

const HINTS: Readonly<Record<Question, string>> = {
  explain:
    'Say who asks, for what, and on what: the answer is the decision, and what each statement had to say about it.',
  'who-can': 'Say what is done and on what: the answer is everybody who may, each with an example of a request.',
  'what-can': 'Say who: the answer is all they may do, in as few patterns as say it.',
};

function Nothing({ question }: { readonly question: Question }): JSX.Element {
  return (
    <div class="panel empty">
      <p>{HINTS[question]}</p>
    </div>
  );
}
