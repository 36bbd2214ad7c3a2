import type { DirectDelivery } from '../src/direct/delivery.js';
import type { DirectMessage } from '../src/direct/message.js';
import type { Reason } from '../src/reasons.js';
import type { DirectMessageEvent, OperationEvent } from '../src/observing/events.js';
import { FakeEvents } from './exhook/fakes.js';

/** What was reported, by kind, in order. */
export class RecordedEvents extends FakeEvents {
  get direct(): DirectMessageEvent[] {
    return this.all.filter(({ name }) => name === 'directMessage').map(({ event }) => event as DirectMessageEvent);
  }
  get operations(): OperationEvent[] {
    return this.all.filter(({ name }) => name === 'operation').map(({ event }) => event as OperationEvent);
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
