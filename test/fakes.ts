import { writtenBy } from '../src/brokers/link/puback.js';
import type { ConnectionWait, Delivery, DirectDelivery } from '../src/direct/delivery.js';
import type { DirectMessage } from '../src/direct/message.js';
import type { Reason } from '../src/reasons.js';
import type { ActionEvent, DirectMessageEvent, EventType } from '../src/observing/events.js';
import { FakeEvents } from './exhook/fakes.js';

/** What was reported, by kind, in order. */
export class RecordedEvents extends FakeEvents {
  get direct(): DirectMessageEvent[] {
    return this.all.filter(({ name }) => name === 'SendDirectMessage').map(({ event }) => event as DirectMessageEvent);
  }
  /** All of them, of actions, each with its type. */
  get told(): (ActionEvent & { eventType: EventType })[] {
    return this.all.map(({ name, event }) => ({
      eventType: name,
      ...('sender' in event ? { ...event, identity: event.sender } : (event as ActionEvent)),
    }));
  }
}

/** Delivers to nobody and answers what the test says. */
export class FakeDelivery implements DirectDelivery {
  readonly messages: DirectMessage[] = [];
  answer: (message: DirectMessage) => Promise<Reason> = ({ confirmation }) =>
    Promise.resolve(confirmation ? 'DELIVERED' : 'DISPATCHED');
  readonly waits: ConnectionWait[] = [];
  seen: () => Promise<'connected' | Delivery> = () =>
    Promise.resolve({ reason: 'CLIENT_NOT_CONNECTED', written: 'no' });
  readonly signals: (AbortSignal | undefined)[] = [];
  connected(wait: ConnectionWait, signal?: AbortSignal): Promise<'connected' | Delivery> {
    this.waits.push(wait);
    this.signals.push(signal);
    return this.seen();
  }
  async deliver(message: DirectMessage): Promise<Delivery> {
    this.messages.push(message);
    const reason = await this.answer(message);
    return { reason, written: writtenBy(reason) };
  }
}
