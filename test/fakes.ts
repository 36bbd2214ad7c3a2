import type { DirectDelivery } from '../src/direct/delivery.js';
import type { DirectMessage } from '../src/direct/message.js';
import type { Action, Authorizer, Decision } from '../src/policy/authorizer.js';
import type { Reason } from '../src/reasons.js';
import type { DirectMessageEvent, Events, OperationEvent } from '../src/telemetry/events.js';

/** Keeps what was reported, in order. */
export class RecordedEvents implements Events {
  readonly direct: DirectMessageEvent[] = [];
  readonly operations: OperationEvent[] = [];
  directMessage(event: DirectMessageEvent): void {
    this.direct.push(event);
  }
  operation(event: OperationEvent): void {
    this.operations.push(event);
  }
  readonly connect = unexpected;
  readonly disconnect = unexpected;
  readonly subscribe = unexpected;
  readonly publishIn = unexpected;
  readonly unsubscribe = unexpected;
  readonly publishOut = unexpected;
}

function unexpected(): never {
  throw new Error('No event of a connection is expected here.');
}

/** Allows everything but the resources denied. */
export class FakeAuthorizer implements Authorizer {
  readonly denied = new Set<string>();
  readonly asked: Decision[] = [];
  connect(): Decision {
    return this.decide(undefined, 'iot:Connect', '*');
  }
  publish(_identity: unknown, topic: string): Decision {
    return this.decide(undefined, 'iot:Publish', `topic/${topic}`);
  }
  subscribe(_identity: unknown, filter: string): Decision {
    return this.decide(undefined, 'iot:Subscribe', `topicfilter/${filter}`);
  }
  sendDirectMessage(_identity: unknown, targetClientId: string): Decision {
    return this.decide(undefined, 'iot:SendDirectMessage', `client/${targetClientId}`);
  }
  receiveDirectMessage(_identity: unknown, topic: string): Decision {
    return this.decide(undefined, 'iot:Receive', `topic/${topic}`);
  }
  decide(_identity: unknown, action: Action, resource: string): Decision {
    const allowed = !this.denied.has(resource);
    const effect = allowed ? 'allow' : 'deny';
    const cause = allowed ? 'explicitAllow' : 'implicitDeny';
    const decision: Decision = { effect, cause, action, resource, principalId: 'backend', errors: [] };
    this.asked.push(decision);
    return decision;
  }
}

/** Delivers to nobody and answers what the test says. */
export class FakeDelivery implements DirectDelivery {
  readonly messages: DirectMessage[] = [];
  answer: (message: DirectMessage) => Promise<Reason> = ({ confirmation }) =>
    Promise.resolve(confirmation ? 'DELIVERED' : 'DISPATCHED');
  deliver(message: DirectMessage): Promise<Reason> {
    this.messages.push(message);
    return this.answer(message);
  }
}
