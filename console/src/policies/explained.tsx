import type { JSX } from 'preact';
import { plain, Status } from '../parts/shown.js';
import { Table } from '../parts/table.js';

export interface StatementSaid {
  readonly policy: string;
  readonly statement: string;
  readonly effect: 'Allow' | 'Deny';
  readonly matched: 'yes' | 'no' | 'unknown';
  readonly because: readonly string[];
}

export interface Explanation {
  readonly decision: {
    readonly effect: 'allow' | 'deny';
    readonly action: string;
    readonly resource: string;
    readonly principalId?: string;
    readonly policy?: string;
    readonly statement?: string;
    readonly cause?: string;
    readonly errors?: readonly string[];
  };
  readonly statements: readonly StatementSaid[];
}

/** A decision, the statement that made it, and what each of the others had to say. */
export function Explained({ title, answer }: { readonly title: string; readonly answer: Explanation }): JSX.Element {
  const { decision, statements } = answer;
  const decider = [decision.policy, decision.statement].filter((part) => part !== undefined).join('/');
  const isDecider = (one: StatementSaid) => one.policy === decision.policy && one.statement === decision.statement;
  return (
    <section class="panel" aria-label={title}>
      <h2>{title}</h2>
      <p>
        <Status good={decision.effect === 'allow'}>{decision.effect === 'allow' ? 'Allowed' : 'Denied'}</Status>{' '}
        {decider === '' ? (
          <span class="muted">{CAUSES[decision.cause ?? ''] ?? decision.cause}</span>
        ) : (
          <>
            by <code>{decider}</code>
          </>
        )}
      </p>
      <p class="small muted">
        {decision.principalId === undefined ? 'No principal' : `Principal ${plain(decision.principalId)}`} ·{' '}
        <code>{decision.action}</code> on <code>{plain(decision.resource)}</code>
      </p>
      {decision.errors?.map((error) => (
        <p key={error} class="bad">
          {plain(error)}
        </p>
      ))}
      <Table
        label={`${title}: statements`}
        rows={statements}
        keyOf={({ policy, statement }, index) => `${policy}/${statement}/${index}`}
        empty={<p>No statement of the principal is about this.</p>}
        columns={[
          {
            name: 'Statement',
            value: ({ policy, statement }) => `${policy}/${statement}`,
            show: (one) =>
              isDecider(one) ? (
                <mark>
                  <strong>
                    {one.policy}/{one.statement}
                  </strong>{' '}
                  decides
                </mark>
              ) : (
                `${one.policy}/${one.statement}`
              ),
          },
          { name: 'Effect', value: ({ effect }) => effect },
          { name: 'Matches', value: ({ matched }) => matched },
          { name: 'Why not', value: ({ because }) => plain(because.join('; ')) },
        ]}
      />
    </section>
  );
}

const CAUSES: Readonly<Record<string, string>> = {
  noPrincipal: 'because no principal stands for this identity',
  noMatch: 'because no statement allows it',
};
