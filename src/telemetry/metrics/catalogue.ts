import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_RPC_METHOD,
  ATTR_RPC_SYSTEM_NAME,
  ATTR_URL_SCHEME,
  METRIC_HTTP_SERVER_REQUEST_DURATION,
  METRIC_RPC_SERVER_CALL_DURATION,
} from '@opentelemetry/semantic-conventions';
import { Messaging } from '../otel/conventions.js';

export interface MetricEntry {
  readonly name: string;
  readonly kind: 'histogram' | 'counter' | 'gauge';
  /** UCUM: `s` seconds, `1` a ratio, `{...}` a count of what stands between the braces. */
  readonly unit: string;
  readonly description: string;
  /** Every label it can have; each has a bounded set of values. */
  readonly labels: readonly string[];
}

/**
 * Every metric of the service: the one list that creates the instruments and that docs/telemetry.md, the dashboards and
 * the alerts are checked against. Names of the semantic conventions (1.45.0) where they have one, else `tightbeam.`.
 */
export const METRICS = {
  directMessages: {
    name: 'tightbeam.direct_message.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Direct messages by outcome, from the request to its answer. Its count is the number of messages.',
    labels: ['reason', 'door', 'device_code'],
  },
  pending: {
    name: 'tightbeam.direct_message.pending',
    kind: 'gauge',
    unit: '{message}',
    description: 'Direct messages that this replica has sent to the broker and that are not answered yet.',
    labels: [],
  },
  deliveries: {
    name: Messaging.ClientOperationDuration,
    kind: 'histogram',
    unit: 's',
    description: 'From handing a direct message to the broker until its PUBACK, for messages that came through HTTP.',
    labels: [
      Messaging.System,
      Messaging.OperationName,
      Messaging.OperationType,
      Messaging.DestinationTemplate,
      ATTR_ERROR_TYPE,
    ],
  },
  httpRequests: {
    name: METRIC_HTTP_SERVER_REQUEST_DURATION,
    kind: 'histogram',
    unit: 's',
    description: 'Requests to the data-plane API.',
    labels: [
      ATTR_HTTP_REQUEST_METHOD,
      ATTR_HTTP_RESPONSE_STATUS_CODE,
      ATTR_HTTP_ROUTE,
      ATTR_URL_SCHEME,
      ATTR_ERROR_TYPE,
    ],
  },
  hookCalls: {
    name: METRIC_RPC_SERVER_CALL_DURATION,
    kind: 'histogram',
    unit: 's',
    description: 'Hook calls of the broker. It waits for each: this is time that connections and messages stand still.',
    labels: [ATTR_RPC_SYSTEM_NAME, ATTR_RPC_METHOD, 'outcome'],
  },
  decisions: {
    name: 'tightbeam.policy.decision.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Policy decisions. Its count is the number of decisions.',
    labels: ['action', 'effect', 'cause'],
  },
  wouldDeny: {
    name: 'tightbeam.policy.would_deny',
    kind: 'counter',
    unit: '{request}',
    description: 'Requests of clients that policies in shadow deny: what enforcing them would refuse.',
    labels: ['action', 'cause'],
  },
  shadow: {
    name: 'tightbeam.policy.shadow',
    kind: 'gauge',
    unit: '1',
    description: '1 while policies are in shadow, for all principals or some, else 0.',
    labels: [],
  },
  statements: {
    name: 'tightbeam.policy.statements',
    kind: 'gauge',
    unit: '{statement}',
    description:
      'Statements in force, by whether one has decided anything in this replica; `tightbeam policy usage` names them.',
    labels: ['used'],
  },
  reloads: {
    name: 'tightbeam.policy.reloads',
    kind: 'counter',
    unit: '{reload}',
    description: 'Policy sets read, by whether they took effect or were refused.',
    labels: ['outcome'],
  },
  lastReload: {
    name: 'tightbeam.policy.last_reload_successful',
    kind: 'gauge',
    unit: '1',
    description: '1 when the last policy set read took effect, 0 when it was refused and the one before stays.',
    labels: [],
  },
  policySet: {
    name: 'tightbeam.policy.set.version',
    kind: 'gauge',
    unit: '1',
    description:
      'Version of the policy set in force as a number: the first 12 hex digits. Replicas that differ decide differently.',
    labels: [],
  },
  policySetLoaded: {
    name: 'tightbeam.policy.set.loaded_at',
    kind: 'gauge',
    unit: 's',
    description: 'When the policy set in force was loaded, in seconds since 1970.',
    labels: [],
  },
  clients: {
    name: 'tightbeam.clients.connected',
    kind: 'gauge',
    unit: '{client}',
    description:
      'Clients whose connect hook came to this replica, less those whose disconnect hook did, since it started.',
    labels: [],
  },
  clientEvents: {
    name: 'tightbeam.client.events',
    kind: 'counter',
    unit: '{event}',
    description: 'Connects, disconnects, subscriptions and publishes that were decided or reported.',
    labels: ['event', 'reason'],
  },
  messages: {
    name: 'tightbeam.messages',
    kind: 'counter',
    unit: '{message}',
    description:
      'Ordinary messages: published (in), written to a client (out), acknowledged by one (acked). Counted in the broker, logged or not.',
    labels: ['direction', 'qos', 'topic_group'],
  },
  messagesDropped: {
    name: 'tightbeam.messages.dropped',
    kind: 'counter',
    unit: '{message}',
    description: 'Ordinary messages that the broker dropped, for one client or altogether.',
    labels: ['reason', 'topic_group'],
  },
  connects: {
    name: 'tightbeam.connects',
    kind: 'counter',
    unit: '{connection}',
    description: 'Connections that the broker accepted, or refused with which code.',
    labels: ['outcome'],
  },
  sessions: {
    name: 'tightbeam.sessions',
    kind: 'counter',
    unit: '{session}',
    description: 'Sessions that their clients have resumed, or that have expired.',
    labels: ['outcome'],
  },
  eventsMissed: {
    name: 'tightbeam.events.missed',
    kind: 'counter',
    unit: '{event}',
    description: 'Events of the broker that were lost because the service took them too slowly.',
    labels: ['event'],
  },
  brokerConnections: {
    name: 'tightbeam.broker.connections',
    kind: 'gauge',
    unit: '{connection}',
    description: 'Connections of this replica to the broker, by state.',
    labels: ['state'],
  },
  hooksLoaded: {
    name: 'tightbeam.hooks.loaded',
    kind: 'gauge',
    unit: '{broker}',
    description: '1 when a broker calls the hooks of this replica and has not unloaded them since, else 0.',
    labels: [],
  },
  logDropped: {
    name: 'tightbeam.log.dropped',
    kind: 'counter',
    unit: '{line}',
    description: 'Log lines lost because the reader of the log was too slow or gone.',
    labels: [],
  },
  eventLoopDelay: {
    name: 'tightbeam.eventloop.delay',
    kind: 'gauge',
    unit: 's',
    description: 'How late timers of this process fire: what every answer may have to wait. Over the last ten seconds.',
    labels: ['quantile'],
  },
} as const satisfies Record<string, MetricEntry>;

/** Name under which Prometheus has a metric that it scrapes from `/metrics`. */
export function prometheusName({ name, kind }: MetricEntry): string {
  const plain = name.replace(/[^a-zA-Z0-9_]/g, '_');
  return kind === 'counter' && !plain.endsWith('_total') ? `${plain}_total` : plain;
}
