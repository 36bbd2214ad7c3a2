import { generate, type IPublishPacket } from 'mqtt-packet';
import type { Delivery } from '../../direct/delivery.js';
import type { Limits } from '../../direct/limits.js';
import { REASONS, type Reason } from '../../reasons.js';
import type { RateLimiter } from '../../throttling/rate-limiter.js';
import { admit, withdrawnBy } from './admission.js';
import { Answers } from './answers.js';
import { Identities } from './identities.js';
import type { MemoryLimits } from './memory.js';
import type { Party, PendingMessage } from './message.js';
import { OUTCOME_TOPIC, writeOutcome } from './outcome-message.js';
import { PendingTable } from './pending.js';
import { identityOf, principalOf } from './senders.js';
import { WaitingMessages, type WaitingLimits } from './waiting.js';

/** What dispatching needs of the broker. */
export interface DispatchContext {
  readonly limits: Limits;
  /** How many messages one receiver may be sent. What the service sends is counted there. */
  readonly perReceiver?: RateLimiter;
  /** Of what is remembered of deliveries. */
  readonly memory?: Partial<MemoryLimits>;
  /** Of messages that wait for their receivers to connect. */
  readonly waiting?: Partial<WaitingLimits> | undefined;
  /** The live connection of a client. */
  connectionOf(clientId: string): Party | undefined;
  /** True where the client is away and its session has not expired. */
  hasSession(clientId: string): boolean;
  /**
   * May the connection, one that publishes here or that `connectionOf` answered, send (PUBLISH) or receive (SUBSCRIBE) on this direct
   * topic? Never rejects.
   */
  authorize(connection: Party, type: 'PUBLISH' | 'SUBSCRIBE', directTopic: string): boolean | Promise<boolean>;
  /** The outcome of a direct message, for the hook provider. */
  report(message: PendingMessage, reason: Reason, details?: string): void;
}

const MQTT5 = { protocolVersion: 5 } as const;
/** DISCONNECT reason code Topic Name invalid; what MQTT 3.1.1 clients get of it is the end of the connection. */
const REFUSED = 0x90;

/** Takes PUBLISH packets under `$dm/` from their senders, and answers each exactly once (QoS 0: never). */
export class Dispatcher {
  readonly pending = new PendingTable({
    outcome: (message, delivery) => {
      this.#outcome(message, delivery);
    },
    timeUp: (message) => {
      this.#timeUp(message);
    },
    late: (remembered, delivery) => {
      this.#identities.late(remembered, delivery);
    },
  });
  /** What clients publish is looked at while some are awaited. */
  readonly answers: Answers;
  readonly #identities: Identities;
  readonly #waiting: WaitingMessages;
  readonly #context: DispatchContext;
  /** Tails of the authorizations under way, by sender and receiver: messages of one pair do not overtake each other. */
  readonly #tails = new WeakMap<Party, Map<string, Promise<void>>>();

  constructor(context: DispatchContext) {
    this.#context = context;
    this.#waiting = new WaitingMessages(context.waiting);
    this.answers = new Answers({
      maxBytes: context.limits.payloadBytes,
      answered: ({ message, remembered }, outcome) => {
        if (message !== undefined) this.pending.settle(message, outcome.reason, outcome);
        else if (remembered !== undefined) this.#identities.late(remembered, outcome);
      },
    });
    this.#identities = new Identities({
      settle: (message, { reason, ...more }) => {
        this.pending.settle(message, reason, more);
      },
      attempt: (message) => {
        this.#attempt(message);
      },
      notAwaited: ({ awaited }) => {
        this.answers.forget(awaited);
      },
      clock: () => performance.now(),
      ...(context.memory && { limits: context.memory }),
    });
  }

  /** Identities of deliveries that are remembered. */
  get remembered(): number {
    return this.#identities.size;
  }

  publish(sender: Party, packet: IPublishPacket): void {
    const { qos, messageId = 0 } = packet;
    // Sent again while the first one has no answer (section 4.4 forbids it but on a new connection): that one answers.
    if (qos > 0 && sender.sent.has(messageId)) return;

    const admission = admit(sender, packet, this.#context.limits);
    const { waitMs, isWatch } = admission;
    if (isWatch && qos === 0) {
      this.#withdraw(sender, packet);
      return;
    }
    const since = performance.now();
    const principal = principalOf(sender, packet);
    const message: PendingMessage = {
      sender,
      packet,
      address: admission.address,
      qos: admission.confirmation ? 1 : 0,
      timeoutMs: admission.timeoutMs,
      waitMs,
      isWatch,
      principal,
      since,
      begun: since,
      timer: setTimeout(() => {
        this.#timeUp(message);
      }, waitMs + admission.timeoutMs),
      identity: admission.id === undefined ? undefined : { ...identityOf(sender, packet, admission.id), principal },
      request: admission.request,
      awaited: undefined,
      acknowledged: false,
      remembered: undefined,
      written: false,
      unacknowledged: false,
      receiver: undefined,
      packetId: undefined,
    };
    this.pending.add(message);
    if (qos > 0) sender.sent.set(messageId, message);
    if (admission.fault === undefined) this.#authorizeSender(message);
    else this.pending.settle(message, admission.fault.reason, { details: admission.fault.details });
  }

  /** The service does not wait for that client any more. */
  #withdraw(sender: Party, packet: IPublishPacket): void {
    const message = sender.sent.get(withdrawnBy(packet));
    if (message?.isWatch !== true) return;
    this.#waiting.remove(message);
    this.pending.settle(message, 'CLIENT_NOT_CONNECTED');
  }

  /** The sender is gone: nobody waits for its confirmations. What it sent at QoS 0 still goes its way. */
  forgetSender(sender: Party): void {
    for (const message of sender.sent.values()) {
      if (!this.pending.drop(message)) continue;
      this.#waiting.remove(message);
      this.#identities.abandoned(message);
      this.answers.left(message);
    }
    sender.sent.clear();
  }

  #authorizeSender(message: PendingMessage): void {
    const { sender, packet, address } = message;
    const maySend = this.#context.authorize(sender, 'PUBLISH', packet.topic);
    const tails = this.#tails.get(sender) ?? new Map<string, Promise<void>>();
    const tail = tails.get(address.targetClientId);
    if (typeof maySend === 'boolean' && tail === undefined) {
      this.#toReceiver(message, maySend);
      return;
    }
    const next = Promise.all([maySend, tail]).then(([allowed]) => {
      if (tails.get(address.targetClientId) === next) tails.delete(address.targetClientId);
      this.#toReceiver(message, allowed);
    });
    tails.set(address.targetClientId, next);
    this.#tails.set(sender, tails);
  }

  #toReceiver(message: PendingMessage, maySend: boolean): void {
    if (!this.pending.has(message)) return;
    if (!maySend) {
      this.pending.settle(message, 'SENDER_NOT_AUTHORIZED');
      return;
    }
    this.#identities.admit(message);
  }

  /** A client has its CONNACK: what waits for it goes to it, if its sender still may send. */
  connected(clientId: string): void {
    for (const message of this.#waiting.take(clientId)) {
      if (message.isWatch) this.#attempt(message);
      else this.#authorizeSender(message);
    }
  }

  /** Messages that wait for their receivers to connect. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** To the receiver, wherever it is. */
  #attempt(message: PendingMessage): void {
    const { targetClientId } = message.address;
    const target = this.#context.connectionOf(targetClientId);
    if (target?.receiver === undefined) {
      this.#wait(message);
      return;
    }
    if (message.isWatch) {
      this.pending.settle(message, 'CLIENT_NOT_CONNECTED', { connected: true });
      return;
    }
    if (message.waitMs > 0) {
      message.begun = performance.now();
      this.pending.rearm(message, message.timeoutMs);
    }
    if (!message.sender.isService && (this.#context.perReceiver?.take(targetClientId) ?? 0) > 0) {
      this.pending.settle(message, 'RECEIVER_THROTTLED');
      return;
    }
    if (!this.answers.wait(message, !target.isMqtt5 || target.receiver.answersBare)) {
      this.pending.settle(message, 'RECEIVER_THROTTLED');
      return;
    }
    target.receiver.accept(message, this.#context.authorize(target, 'SUBSCRIBE', message.packet.topic));
  }

  /** The receiver is not there. */
  #wait(message: PendingMessage): void {
    const left = message.since + message.waitMs - performance.now();
    if (left < 1) {
      const offline = this.#context.hasSession(message.address.targetClientId);
      this.pending.settle(message, offline ? 'CLIENT_OFFLINE_WITH_SESSION' : 'CLIENT_NOT_CONNECTED');
    } else if (this.#waiting.add(message)) {
      this.pending.rearm(message, left);
    } else {
      this.pending.settle(message, 'RECEIVER_THROTTLED');
    }
  }

  /** What was never written, because the window of the device stayed full, is RECEIVER_THROTTLED. */
  #timeUp(message: PendingMessage): void {
    if (this.#waiting.has(message)) {
      this.#waiting.remove(message);
      this.#wait(message);
      return;
    }
    const { remembered } = message;
    if (remembered !== undefined && remembered.attempt !== message) {
      const { attempt, state } = remembered;
      const written = attempt?.written === false ? 'no' : 'yes';
      const isAcknowledged = state === 'acknowledged' || attempt?.acknowledged === true;
      this.pending.settle(message, isAcknowledged ? 'ACKNOWLEDGED_NOT_ANSWERED' : 'PUBACK_TIMEOUT', {
        written,
        joined: true,
        firstTraceId: remembered.traceId,
      });
      return;
    }
    if (message.acknowledged) {
      this.pending.settle(message, 'ACKNOWLEDGED_NOT_ANSWERED');
      return;
    }
    const heldUp = !message.written && message.receiver?.isHeldUp(message) === true;
    this.pending.settle(message, heldUp ? 'RECEIVER_THROTTLED' : 'PUBACK_TIMEOUT');
  }

  #outcome(message: PendingMessage, delivery: Delivery): void {
    const { sender, packet } = message;
    const { reason } = delivery;
    if (packet.qos > 0) sender.sent.delete(packet.messageId ?? 0);
    const told = this.#identities.settled(message, delivery);
    this.answers.left(message);
    this.#answer(sender, packet, told);
    // What the provider refused it has told itself.
    if (!sender.isService && reason !== 'SENDER_NOT_AUTHORIZED')
      this.#context.report(message, reason, delivery.details);
  }

  #answer(sender: Party, packet: IPublishPacket, delivery: Delivery): void {
    if (!sender.isMqtt5) {
      // MQTT 3.1.1 has no negative answer to PUBLISH. At QoS 1 and 2 the only way not to acknowledge is to end the
      // connection (MQTT 3.1.1, section 3.3.5); and so it is for RETAIN, which would be without effect in silence.
      if (packet.qos > 0 || packet.retain) sender.end(REFUSED, 'direct_message_refused');
      return;
    }
    if (packet.qos === 0 || sender.closed) return;
    const told = sender.isService ? writeOutcome(packet.messageId ?? 0, delivery) : undefined;
    if (told !== undefined) {
      const outcome = {
        cmd: 'publish',
        topic: OUTCOME_TOPIC,
        payload: told,
        qos: 0,
        retain: false,
        dup: false,
      } as const;
      sender.write(generate(outcome, MQTT5));
    }
    const { mqtt: reasonCode } = REASONS[delivery.reason] as { mqtt?: number };
    // A PUBREC with a failure code ends the QoS 2 exchange (section 4.3.3).
    const cmd = packet.qos === 1 ? 'puback' : 'pubrec';
    sender.write(generate({ cmd, messageId: packet.messageId ?? 0, reasonCode: reasonCode ?? 0x80 }, MQTT5));
  }
}
