import { generate, type IPublishPacket } from 'mqtt-packet';
import { CONTROL_PRINCIPAL, CONTROL_TRACE_ID } from '../../direct/controls.js';
import type { Delivery } from '../../direct/delivery.js';
import type { Limits } from '../../direct/limits.js';
import { REASONS, type Reason } from '../../reasons.js';
import type { RateLimiter } from '../../throttling/rate-limiter.js';
import { parseTraceparent } from '../../observing/trace-id.js';
import { admit } from './admission.js';
import { Answers } from './answers.js';
import { Identities } from './identities.js';
import type { MemoryLimits } from './memory.js';
import type { Party, PendingMessage } from './message.js';
import { OUTCOME_TOPIC, writeOutcome } from './outcome-message.js';
import { PendingTable } from './pending.js';
import { pairsOf } from './user-properties.js';

/** What dispatching needs of the broker. */
export interface DispatchContext {
  readonly limits: Limits;
  /** How many messages one receiver may be sent. What the service sends is counted there. */
  readonly perReceiver?: RateLimiter;
  /** Of what is remembered of deliveries. */
  readonly memory?: Partial<MemoryLimits>;
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
const TRACE_ID = /^[0-9a-f]{32}$/;
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
  readonly #context: DispatchContext;
  /** Tails of the authorizations under way, by sender and receiver: messages of one pair do not overtake each other. */
  readonly #tails = new WeakMap<Party, Map<string, Promise<void>>>();

  constructor(context: DispatchContext) {
    this.#context = context;
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
    const message: PendingMessage = {
      sender,
      packet,
      address: admission.address,
      qos: admission.confirmation ? 1 : 0,
      timeoutMs: admission.timeoutMs,
      since: performance.now(),
      timer: setTimeout(() => {
        this.#timeUp(message);
      }, admission.timeoutMs),
      identity: admission.id === undefined ? undefined : identityOf(sender, packet, admission.id),
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

  /** The sender is gone: nobody waits for its confirmations. What it sent at QoS 0 still goes its way. */
  forgetSender(sender: Party): void {
    for (const message of sender.sent.values()) {
      if (!this.pending.drop(message)) continue;
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

  /** To the receiver, wherever it is. */
  #attempt(message: PendingMessage): void {
    const { targetClientId } = message.address;
    if (!message.sender.isService && (this.#context.perReceiver?.take(targetClientId) ?? 0) > 0) {
      this.pending.settle(message, 'RECEIVER_THROTTLED');
      return;
    }
    const target = this.#context.connectionOf(targetClientId);
    if (target?.receiver === undefined) {
      const offline = this.#context.hasSession(targetClientId);
      this.pending.settle(message, offline ? 'CLIENT_OFFLINE_WITH_SESSION' : 'CLIENT_NOT_CONNECTED');
      return;
    }
    if (!this.answers.wait(message, !target.isMqtt5 || target.receiver.answersBare)) {
      this.pending.settle(message, 'RECEIVER_THROTTLED');
      return;
    }
    target.receiver.accept(message, this.#context.authorize(target, 'SUBSCRIBE', message.packet.topic));
  }

  /** What was never written, because the window of the device stayed full, is RECEIVER_THROTTLED. */
  #timeUp(message: PendingMessage): void {
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

/** Whose delivery a message is. What it says of that itself counts from the service's own user only. */
function identityOf(sender: Party, packet: IPublishPacket, id: string): PendingMessage['identity'] {
  const pairs = pairsOf(packet.properties?.userProperties);
  const said = (wanted: string): string | undefined => pairs.find(([name]) => name === wanted)?.[1];
  const { username, clientId = '' } = sender.origin ?? {};
  const own = username === undefined || username === '' ? clientId : username;
  if (!sender.isService) return { id, principal: own, traceId: parseTraceparent(said('traceparent'))?.traceId };
  const traceId = said(CONTROL_TRACE_ID);
  return {
    id,
    principal: said(CONTROL_PRINCIPAL) ?? own,
    traceId: traceId !== undefined && TRACE_ID.test(traceId) ? traceId : undefined,
  };
}
