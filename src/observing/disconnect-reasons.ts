/** Why a connection ended, in the words of AWS IoT (Developer Guide, "Lifecycle events", `disconnectReason`). */
export type DisconnectReason =
  | 'AUTH_ERROR'
  | 'CLIENT_INITIATED_DISCONNECT'
  | 'CLIENT_ERROR'
  | 'CONNECTION_LOST'
  | 'DUPLICATE_CLIENTID'
  | 'MQTT_KEEP_ALIVE_TIMEOUT'
  | 'SERVER_ERROR'
  | 'SERVER_INITIATED_DISCONNECT'
  | 'API_INITIATED_DISCONNECT'
  | 'THROTTLED'
  | 'UNKNOWN';

/**
 * EMQX's reason of `client.disconnected` to AWS's name. EMQX has no closed list: atoms that its channel and connection
 * code of 5.0 to 6.x use, and the names of MQTT 5 reason codes that a DISCONNECT of the client may carry.
 */
export const DISCONNECT_REASONS: Readonly<Record<string, DisconnectReason>> = Object.freeze({
  normal: 'CLIENT_INITIATED_DISCONNECT',
  disconnect_with_will_message: 'CLIENT_INITIATED_DISCONNECT',
  unspecified_error: 'CLIENT_INITIATED_DISCONNECT',
  takenover: 'DUPLICATE_CLIENTID',
  takeovered: 'DUPLICATE_CLIENTID',
  discarded: 'DUPLICATE_CLIENTID',
  keepalive_timeout: 'MQTT_KEEP_ALIVE_TIMEOUT',
  kicked: 'API_INITIATED_DISCONNECT',
  administrative_action: 'API_INITIATED_DISCONNECT',
  tcp_closed: 'CONNECTION_LOST',
  ssl_closed: 'CONNECTION_LOST',
  sock_closed: 'CONNECTION_LOST',
  closed: 'CONNECTION_LOST',
  einval: 'CONNECTION_LOST',
  econnreset: 'CONNECTION_LOST',
  epipe: 'CONNECTION_LOST',
  etimedout: 'CONNECTION_LOST',
  timeout: 'CONNECTION_LOST',
  tcp_error: 'CONNECTION_LOST',
  ssl_error: 'CONNECTION_LOST',
  not_authorized: 'AUTH_ERROR',
  bad_username_or_password: 'AUTH_ERROR',
  banned: 'AUTH_ERROR',
  protocol_error: 'CLIENT_ERROR',
  malformed_packet: 'CLIENT_ERROR',
  frame_too_large: 'CLIENT_ERROR',
  packet_too_large: 'CLIENT_ERROR',
  topic_filter_invalid: 'CLIENT_ERROR',
  topic_name_invalid: 'CLIENT_ERROR',
  receive_maximum_exceeded: 'CLIENT_ERROR',
  idle_timeout: 'CLIENT_ERROR',
  quota_exceeded: 'THROTTLED',
  message_rate_too_high: 'THROTTLED',
  connection_rate_exceeded: 'THROTTLED',
  server_shutting_down: 'SERVER_INITIATED_DISCONNECT',
  shutdown: 'SERVER_INITIATED_DISCONNECT',
  internal_error: 'SERVER_ERROR',
  killed: 'SERVER_ERROR',
});

/** `{shutdown,normal}` and the like: the reason is what the tuple wraps. */
const SHUTDOWN_TUPLE = /^\{shutdown,\s*(.+)\}$/s;

/** AWS's name for the reason with which EMQX (or the embedded broker) reports the end of a connection. */
export function disconnectReason(brokerReason: string): DisconnectReason {
  const reason = SHUTDOWN_TUPLE.exec(brokerReason)?.[1] ?? brokerReason;
  if (Object.hasOwn(DISCONNECT_REASONS, reason)) return DISCONNECT_REASONS[reason] ?? 'UNKNOWN';
  // A frame error arrives as the printed Erlang term, for instance `#{cause => invalid_topic,...}`.
  return reason.startsWith('#{') ? 'CLIENT_ERROR' : 'UNKNOWN';
}

/**
 * The broker's reason as one word, for the log: of a printed Erlang term only the cause is kept, since the rest can hold
 * bytes that the client sent.
 */
export function brokerWord(brokerReason: string): string {
  const reason = SHUTDOWN_TUPLE.exec(brokerReason)?.[1] ?? brokerReason;
  if (/^[a-z][a-z0-9_]*$/.test(reason)) return reason;
  return /\bcause\s*=>\s*([a-z][a-z0-9_]*)/.exec(reason)?.[1] ?? 'other';
}
