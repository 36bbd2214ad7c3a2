import type { Action } from '../authorizer.js';
import type { PolicySet } from '../policy-set.js';
import type { Statement } from '../reading/document.js';

/** Actions of which the log tells when policies allow them; of the others it tells denials alone. */
const TOLD: ReadonlySet<Action> = new Set<Action>([
  'iot:Connect',
  'iot:Subscribe',
  'iot:SendDirectMessage',
  'iot:GetConnection',
  'iot:DeleteConnection',
  'iot:ListSubscriptions',
  'iot:GetRetainedMessage',
  'iot:ListRetainedMessages',
  'tightbeam:DescribeDevice',
  'tightbeam:ListDevices',
  'tightbeam:ExplainPolicy',
  'tightbeam:ViewEvents',
  'tightbeam:ViewStatus',
]);

export interface Unused {
  /** Decided nothing that the log tells of, and it would tell. */
  readonly unused: readonly Statement[];
  /** Allows of actions whose permissions the log does not tell. */
  readonly unknown: readonly Statement[];
}

/** Which statements determined no decision of a log. */
export class UsedBy {
  readonly #used = new Set<string>();

  /** @param line of the log; others are passed over */
  add(line: string): void {
    let record: unknown;
    try {
      record = JSON.parse(line);
    } catch {
      return;
    }
    const { policy, statement } = (record ?? {}) as { policy?: unknown; statement?: unknown };
    if (typeof policy === 'string' && typeof statement === 'string') this.#used.add(`${policy}\0${statement}`);
  }

  of({ documents }: PolicySet): Unused {
    const statements = [...documents.values()].flatMap((document) => document.statements);
    const without = statements.filter(({ policy, id }) => !this.#used.has(`${policy}\0${id}`));
    const isTold = ({ effect, actions }: Statement) =>
      effect === 'Deny' || [...actions].every((action) => TOLD.has(action));
    return { unused: without.filter(isTold), unknown: without.filter((statement) => !isTold(statement)) };
  }
}
