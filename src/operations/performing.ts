import type { Fault } from '../direct/limits.js';
import type { Identity } from '../identity/identity.js';
import type { ActionEvent, ActionType, Events } from '../observing/events.js';
import type { Decision } from '../policy/authorizer.js';
import { BrokerFault } from './broker.js';
import type { Read } from './requests.js';

/** Who asks, and under which trace. */
export interface Asking {
  readonly caller: Identity;
  readonly traceId: string;
}

/** What an operation is about, for the log. */
export type Subject = Pick<ActionEvent, 'clientId' | 'topicName' | 'qos' | 'payloadBytes' | 'details'>;

/** How one operation goes, step by step. A step that finds a fault ends it. */
export interface Steps<Input, Output> {
  read(): Read<Input>;
  authorize(input: Input): Decision;
  act(input: Input): Promise<Read<Output>>;
}

/**
 * Does an operation: validates, asks whether the caller may, and only then acts, so that who may not learns nothing. Never
 * rejects, and reports exactly one event of the type.
 */
export async function perform<Input, Output>(
  { events, clock }: { readonly events: Events; readonly clock: () => number },
  { traceId, caller }: Asking,
  type: ActionType,
  subject: Subject,
  steps: Steps<Input, Output>,
): Promise<Read<Output>> {
  const startedAt = clock();
  const { decision, result } = await attempt(steps);
  events.tell(type, {
    ...subject,
    traceId,
    identity: caller,
    durationMs: clock() - startedAt,
    decision,
    ...(!result.ok && { reason: result.reason, details: result.details }),
  });
  return result;
}

async function attempt<Input, Output>(
  steps: Steps<Input, Output>,
): Promise<{ readonly decision?: Decision; readonly result: Read<Output> }> {
  const read = steps.read();
  if (!read.ok) return { result: read };
  const decision = steps.authorize(read.value);
  if (decision.effect !== 'allow') {
    return { decision, result: fail('OPERATION_NOT_AUTHORIZED', `${decision.action}: ${decision.cause}.`) };
  }
  try {
    return { decision, result: await steps.act(read.value) };
  } catch (error) {
    const reason = error instanceof BrokerFault ? error.reason : 'INTERNAL_ERROR';
    return { decision, result: fail(reason, error instanceof Error ? error.message : String(error)) };
  }
}

export function done<T>(value: T): Read<T> {
  return { ok: true, value };
}

export function fail(reason: Fault['reason'], details: string): { readonly ok: false } & Fault {
  return { ok: false, reason, details };
}
