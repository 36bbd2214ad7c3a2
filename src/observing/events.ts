import type { Delivery } from '../direct/delivery.js';
import type { DirectMessage } from '../direct/message.js';
import type { Identity } from '../identity/identity.js';
import type { Decision } from '../policy/authorizer.js';
import type { ConnectFacts } from '../policy/conditions/context.js';
import { REASONS, type Reason } from '../reasons.js';
import {
  actionRecord,
  authorizationModeRecord,
  brokerConnectionRecord,
  directMessageRecord,
  disconnectRecord,
  eventsMissedRecord,
  policyReloadRecord,
  wouldDenyRecord,
  type EventFacts,
} from './record.js';

/** What one type of event means to those who are told: every column is one of theirs. */
interface Row<Event extends Told> {
  /** For docs/telemetry.md. */
  readonly meaning: string;
  /** Whether it is a failure: a line at ERROR, which is always written. Asked before there is a record. */
  readonly failed: (event: Event) => boolean;
  /** Whether successes may be left out of the log, by `log.successRatio`. */
  readonly sampled: boolean;
  /** What the log writes, and who follows is shown. */
  readonly record: (event: Event, traceId: string) => EventFacts;
  /** What it changes in the metrics. */
  readonly counted: { [Way in keyof Counted]: Event extends Counted[Way] ? Way : never }[keyof Counted];
}

/** The ways in which an event is counted, and what each must know of the event. The metrics have one function for each. */
export interface Counted {
  /** In `tightbeam.direct_message.duration`. */
  readonly directMessage: DirectMessageEvent;
  /** In `tightbeam.client.events`, by its reason. */
  readonly clientEvent: ActionEvent;
  /** Further, one connected client more. */
  readonly connect: ActionEvent;
  /** Further, one less. */
  readonly disconnect: DisconnectEvent;
  /** As the HTTP request that it is, in `http.server.request.duration`. */
  readonly request: ActionEvent;
  readonly eventsMissed: EventsMissedEvent;
  /** In `tightbeam.policy.would_deny`. */
  readonly wouldDeny: WouldDenyEvent;
  readonly authorizationMode: AuthorizationModeEvent;
  readonly policyReload: PolicyReloadEvent;
  readonly brokerConnection: BrokerConnectionEvent;
}

function action(meaning: string, counted: Row<ActionEvent>['counted']): Row<ActionEvent> {
  return { meaning, failed, sampled: true, record: actionRecord, counted };
}

function failed({ reason }: { readonly reason?: Reason | undefined }): boolean {
  return reason !== undefined && REASONS[reason].status === 'Failure';
}

function row<Event extends Told>(columns: Row<Event>): Row<Event> {
  return columns;
}

/**
 * Every event there is, by its type as the log writes it: the names of AWS IoT's CloudWatch logs, and after them
 * Tightbeam's own. A new event is a row here; log, metrics, tail and documentation follow.
 */
export const EVENTS = {
  Connect: action('A client was admitted or refused.', 'connect'),
  Disconnect: row<DisconnectEvent>({
    meaning: 'A connection ended.',
    failed,
    sampled: true,
    record: disconnectRecord,
    counted: 'disconnect',
  }),
  Subscribe: action('A subscription was decided.', 'clientEvent'),
  Unsubscribe: action('A client gave a subscription up; only with `log.unsubscribe`.', 'clientEvent'),
  Session: action('A session was resumed by its client, or has expired; only with `log.sessions`.', 'clientEvent'),
  'Publish-In': action(
    'A client may not publish, or with `log.publishIn` has published; a caller published through HTTP, or may not.',
    'clientEvent',
  ),
  'Publish-Out': action('A message was written to a client; only with `log.publishOut`.', 'clientEvent'),
  'Publish-Ack': action('A client has acknowledged a message; only with `log.publishAck`.', 'clientEvent'),
  Dropped: action('The broker dropped a message, for one client or altogether; see `log.dropped`.', 'clientEvent'),
  EventsMissed: row<EventsMissedEvent>({
    meaning: 'The broker had more to tell than the service could take: so many events of one type were lost.',
    failed: () => true,
    sampled: false,
    record: eventsMissedRecord,
    counted: 'eventsMissed',
  }),
  SendDirectMessage: row<DirectMessageEvent>({
    meaning: 'A direct message has its outcome: one event a message, through whichever door.',
    failed,
    sampled: true,
    record: directMessageRecord,
    counted: 'directMessage',
  }),
  MessageBatch: action(
    'A batch of direct messages has ended, or was refused; each of its messages has an event of its own.',
    'request',
  ),
  Receive: action('A client may not receive a direct message: the receiver’s side of it.', 'clientEvent'),
  GetConnection: action('A caller asked for the connection of a client.', 'request'),
  DeleteConnection: action('A caller ended the connection of a client.', 'request'),
  ListSubscriptions: action('A caller asked for the subscriptions of a client.', 'request'),
  GetRetainedMessage: action('A caller asked for a retained message.', 'request'),
  ListRetainedMessages: action('A caller asked for the retained messages.', 'request'),
  DescribeDevice: action('A caller asked what is known of one device.', 'request'),
  ExplainPolicy: action(
    'A caller asked what policies say: one decision, who may do something, or what a principal may do.',
    'request',
  ),
  ViewEvents: action('A caller reads along what happens: told when that begins, or is refused.', 'request'),
  ViewStatus: action('A caller asked how the service is.', 'request'),
  HttpRequest: action('A request for no operation, or no request at all, was refused.', 'request'),
  SignIn: action('Somebody signed in to the console, or was refused; `details` says in which way.', 'request'),
  WouldDeny: row<WouldDenyEvent>({
    meaning:
      'Policies in shadow deny what goes on all the same; the event has the decision, and as `reason` that of the refusal.',
    // It is what rolling out works with: nothing of it may be left out.
    failed: () => false,
    sampled: false,
    record: wouldDenyRecord,
    counted: 'wouldDeny',
  }),
  AuthorizationMode: row<AuthorizationModeEvent>({
    meaning: 'Policies are in shadow, or were switched over: told at the start while they are, and of each change.',
    failed: () => false,
    sampled: false,
    record: authorizationModeRecord,
    counted: 'authorizationMode',
  }),
  PolicyReload: row<PolicyReloadEvent>({
    meaning: 'A policy set took effect, or was refused and the one before stays.',
    failed: ({ outcome }) => outcome !== 'loaded',
    // The service's own events are rare, and each of them matters.
    sampled: false,
    record: policyReloadRecord,
    counted: 'policyReload',
  }),
  BrokerConnection: row<BrokerConnectionEvent>({
    meaning: 'A connection of the service to the broker changed its state.',
    failed: ({ state }) => state !== 'ready',
    sampled: false,
    record: brokerConnectionRecord,
    counted: 'brokerConnection',
  }),
} as const;

export type EventType = keyof typeof EVENTS;
export const EVENT_TYPES = Object.keys(EVENTS) as [EventType, ...EventType[]];

/** An event as log and followers have it. */
export interface EventRecord extends EventFacts {
  readonly eventType: EventType;
}

type EventsByType = { readonly [Type in EventType]: (typeof EVENTS)[Type] extends Row<infer Event> ? Event : never };
/** What is told of an event of this type. */
export type EventOf<Type extends EventType> = EventsByType[Type];
export type AnyEvent = EventOf<EventType>;

/** The types of events of which is told what is told of any action. */
export type ActionType = { [Type in EventType]: ActionEvent extends EventOf<Type> ? Type : never }[EventType];

/** What the table says of a type, for whoever has any event. */
export function rowOf(type: EventType): Row<AnyEvent> {
  return EVENTS[type] as Row<never> as Row<AnyEvent>;
}

/**
 * Who wants to know what happened. No implementation throws, blocks or fails its caller. `details` of an event is for
 * the operator and must hold no secret and no payload.
 */
export interface Events {
  tell<Type extends EventType>(type: Type, event: EventOf<Type>): void;
}

/** What the process does, which is no event with a record: lines of text. No method throws or blocks. */
export interface ProcessEvents {
  /** A step in the life of the process: `listening` and `ready` with the ports, `draining`, `stopped`. */
  lifecycle(msg: string, fields?: LifecycleFields): void;
  /** Something failed that no caller can be told of, in one line: what was being done, and the error. */
  fault(msg: string, error: unknown): void;
}

export interface LifecycleFields {
  readonly [name: string]: string | number | boolean | LifecycleFields;
}

/** What all events have. */
interface Told {
  /** The trace that it belongs to; absent, it gets one of its own. */
  readonly traceId?: string | undefined;
  /** When it happened, in milliseconds since 1970; absent where that is now. */
  readonly endedAt?: number | undefined;
}

/** Somebody did something or was refused it: a client over MQTT, a caller over HTTP. */
export interface ActionEvent extends Told {
  /** Who; where nobody has proved who they are, what the connection tells of them. */
  readonly identity: Identity;
  /** The principal that stands for them, where no decision tells it. */
  readonly principalId?: string | undefined;
  /** MQTT client ID that it is about, where that is not who acted. */
  readonly clientId?: string | undefined;
  /** Topic name or topic filter that it is about. */
  readonly topicName?: string | undefined;
  /** QoS of the message or of the subscription, where the broker tells it. */
  readonly qos?: number | undefined;
  readonly payloadBytes?: number | undefined;
  /** Whether a message is to be retained; absent where the broker does not tell. */
  readonly retain?: boolean | undefined;
  /** What a CONNECT asks for, as far as the broker tells it. */
  readonly connection?: ConnectionFacts | undefined;
  readonly durationMs?: number | undefined;
  /** Of a CONNECT: what it asks for, where the broker tells. */
  readonly connect?: ConnectFacts | undefined;
  /** Absent on success. */
  readonly reason?: Reason | undefined;
  /** The decision about it; absent where none was made. */
  readonly decision?: Decision | undefined;
  readonly details?: string | undefined;
}

/** What a client asked for in its CONNECT (MQTT 5, section 3.1). */
export interface ConnectionFacts {
  /** 3, 4 (MQTT 3.1.1) or 5. */
  readonly protocolVersion?: number | undefined;
  readonly cleanStart?: boolean | undefined;
  /** For how long the session outlives the connection; 0: not at all. */
  readonly sessionExpirySeconds?: number | undefined;
  readonly keepAliveSeconds?: number | undefined;
  /** Topic of the will; null where there is none. */
  readonly willTopic?: string | null | undefined;
}

export interface WouldDenyEvent extends ActionEvent {
  readonly decision: Decision;
  readonly reason: Reason;
}

export interface AuthorizationModeEvent extends Told {
  /** Whether anybody is in shadow. */
  readonly shadow: boolean;
  readonly details: string;
}

export interface DisconnectEvent extends ActionEvent {
  /** Why, in the broker's word. */
  readonly disconnectReason: string;
}

export interface DirectMessageEvent extends Told {
  readonly traceId: string;
  readonly sender: Identity;
  /** A broker that asks for an authorization tells neither QoS nor payload, so a refusal there leaves both out. */
  readonly message: Pick<DirectMessage, 'targetClientId' | 'topic'> & {
    readonly confirmation?: boolean | undefined;
    readonly payloadBytes?: number | undefined;
  };
  readonly reason: Reason;
  /** Whether it was written to the connection of the device; absent where nobody has said. */
  readonly written?: Delivery['written'] | undefined;
  /** What the device said in its PUBACK, where that was no. */
  readonly device?: Delivery['device'];
  /** Of a repeat: trace ID of the attempt whose outcome this is. */
  readonly firstTraceId?: string | undefined;
  /** An earlier attempt of the same delivery was written to the device. */
  readonly earlierWritten?: boolean | undefined;
  /** Of a request: where the answer of the device is waited for. */
  readonly responseTopic?: string | undefined;
  /** Size of the answer's payload. */
  readonly responseBytes?: number | undefined;
  readonly durationMs: number;
  /** The decision about the sender; absent where the request was refused before it. */
  readonly decision?: Decision | undefined;
  /** Of RECEIVER_NOT_AUTHORIZED the decision about the receiver, where it was made in this replica. */
  readonly receiverDecision?: Decision | undefined;
  readonly details?: string | undefined;
}

export interface EventsMissedEvent extends Told {
  /** Type of the events, as the log writes it. */
  readonly of: string;
  readonly count: number;
  /** The node of the broker that had no room for them. */
  readonly node: string;
}

/**
 * What a broker has counted since it last said so, in events that need not have been told one by one. Labels are of
 * bounded sets: the topic groups are the operator's.
 */
export type Traffic =
  | {
      readonly what: 'message';
      readonly direction: string;
      readonly qos: number;
      readonly group: string;
      readonly count: number;
    }
  | { readonly what: 'dropped'; readonly reason: string; readonly group: string; readonly count: number }
  | { readonly what: 'connect' | 'session'; readonly outcome: string; readonly count: number }
  | { readonly what: 'disconnect'; readonly count: number };

export interface PolicyReloadEvent extends Told {
  readonly outcome: 'loaded' | 'refused';
  /** Content hash (or other version) of the set read; absent where it could not be read. */
  readonly version?: string;
  readonly policies?: number;
  readonly principals?: number;
  /** What changes in meaning from the set before, a line each; not all of it where that is much. */
  readonly changes?: readonly string[];
  readonly durationMs?: number;
  /** Why it was refused: file, statement and rule. */
  readonly details?: string;
}

export interface BrokerConnectionEvent extends Told {
  /**
   * `ready`: direct messages can be sent. `pluginMissing`: connected, but the broker does not deliver them. `refused`: the
   * broker does not let the service's user in, or not to `$dm/#`. `down`: not connected.
   */
  readonly state: 'ready' | 'pluginMissing' | 'refused' | 'down';
  /** Address of the broker, without credentials. */
  readonly broker: string;
  /** MQTT client ID of the connection. */
  readonly clientId: string;
  readonly details?: string;
}
