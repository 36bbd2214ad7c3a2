/** Both sides of a direct message: who may send it, and whether whoever is connected as its receiver may receive it. */
import type { Action } from '../authorizer.js';
import type { PolicySet } from '../policy-set.js';
import type { Work } from '../work.js';
import { answer, type SampleRequest } from './requests.js';
import { whoCan, type Grant, type WhoCan } from './who-can.js';

/** Somebody who may be connected as the receiver, and may receive the message. */
export interface Receiver {
  readonly principal: string;
  readonly who: Grant['who'];
  readonly connect: Statement;
  readonly receive: Statement;
  /** A CONNECT of which the engine says so; with its facts the engine lets the message through. */
  readonly request: SampleRequest;
}

/** Where something is allowed. */
interface Statement {
  readonly policy: string;
  readonly statement: string;
}

export interface Reach {
  readonly senders: WhoCan;
  readonly receivers: readonly Receiver[];
  /** Principals of whom it could not be made out whether they may be connected so and may receive, and why. */
  readonly unclear: WhoCan['unclear'];
  /** Whether the message can get through: somebody may send it, and somebody receive. */
  readonly reaches: 'yes' | 'no' | 'unclear';
}

export interface ReachQuestion {
  /** The receiver. */
  readonly clientId: string;
  readonly topic: string;
  /** The principal who is to send; anybody where absent. */
  readonly sender?: string;
}

/** Answers both sides. */
export function* reach(
  set: PolicySet,
  { clientId, topic, sender }: ReachQuestion,
  options: { readonly now?: number; readonly budget?: number } = {},
): Work<Reach> {
  const { now = Date.now() } = options;
  const all = yield* whoCan(set, { action: 'iot:SendDirectMessage', name: clientId, topic }, options);
  const isMeant = ({ principal }: { readonly principal: string }): boolean =>
    sender === undefined || principal === sender;
  const senders = { grants: all.grants.filter(isMeant), unclear: all.unclear.filter(isMeant) };
  const connecting = yield* whoCan(set, { action: 'iot:Connect', name: clientId }, options);
  const receiving = yield* whoCan(set, { action: 'iot:Receive', name: topic, clientId }, options);
  const receivers = new Map<string, Receiver>();
  const doubts = new Map<string, Set<string>>();
  const doubt = (principal: string, reasons: readonly string[]): void => {
    doubts.set(principal, new Set([...(doubts.get(principal) ?? []), ...reasons]));
  };
  for (const { principal, who, policy, statement, request } of connecting.grants) {
    const receive = asking(set, request, 'iot:Receive', topic, now);
    if (receive.effect === 'allow') {
      const by = { policy: receive.policy ?? '', statement: receive.statement ?? '' };
      const receiver = { principal, who: { ...who, clientId }, connect: { policy, statement }, receive: by, request };
      receivers.set(JSON.stringify([principal, receiver.who, receiver.connect, by]), receiver);
    } else if (receiving.grants.some((grant) => grant.principal === principal)) {
      doubt(principal, ['it may connect so and may receive, but perhaps not with the same facts']);
    }
  }
  for (const { principal, reasons } of connecting.unclear) doubt(principal, reasons);
  for (const { principal, reasons } of receiving.unclear) {
    if (connecting.grants.some((grant) => grant.principal === principal)) doubt(principal, reasons);
  }
  for (const { principal } of receivers.values()) doubts.delete(principal);
  const unclear = [...doubts].map(([principal, reasons]) => ({ principal, reasons: [...reasons] }));
  const sends = senders.grants.length > 0 ? 'yes' : senders.unclear.length > 0 ? 'unclear' : 'no';
  const receives = receivers.size > 0 ? 'yes' : unclear.length > 0 ? 'unclear' : 'no';
  const reaches = [sends, receives].includes('no') ? 'no' : sends === receives ? sends : 'unclear';
  return { senders, receivers: [...receivers.values()], unclear, reaches };
}

/** What the engine answers to another request by the same client. */
function asking(set: PolicySet, { identity, context }: SampleRequest, action: Action, name: string, now: number) {
  return answer({ set, found: set.resolve(identity) }, { identity, action, name, context }, now);
}
