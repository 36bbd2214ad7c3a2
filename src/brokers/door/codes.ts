/** Reason codes that the door itself answers with (MQTT 5, section 2.4). */
export const Code = {
  UNSPECIFIED: 0x80,
  MALFORMED: 0x81,
  PROTOCOL_ERROR: 0x82,
  UNSUPPORTED_VERSION: 0x84,
  CLIENT_IDENTIFIER_NOT_VALID: 0x85,
  NOT_AUTHORIZED: 0x87,
  SERVER_UNAVAILABLE: 0x88,
  SERVER_SHUTTING_DOWN: 0x8b,
  KEEP_ALIVE_TIMEOUT: 0x8d,
  SESSION_TAKEN_OVER: 0x8e,
  TOPIC_FILTER_INVALID: 0x8f,
  TOPIC_NAME_INVALID: 0x90,
  RECEIVE_MAXIMUM_EXCEEDED: 0x93,
  PACKET_TOO_LARGE: 0x95,
  QUOTA_EXCEEDED: 0x97,
  ADMINISTRATIVE_ACTION: 0x98,
} as const;

/** CONNACK return codes of MQTT 3.1.1 (section 3.2.2.3) for those that it has words for. */
export const RETURN_CODES: Readonly<Record<number, number>> = {
  [Code.UNSUPPORTED_VERSION]: 1,
  [Code.CLIENT_IDENTIFIER_NOT_VALID]: 2,
  [Code.SERVER_UNAVAILABLE]: 3,
  [Code.NOT_AUTHORIZED]: 5,
};

/** Why a connection ended, in the words that EMQX has for the reason code of a DISCONNECT. */
const WORDS: Readonly<Record<number, string>> = {
  0x00: 'normal',
  0x04: 'disconnect_with_will_message',
  [Code.UNSPECIFIED]: 'internal_error',
  [Code.MALFORMED]: 'malformed_packet',
  [Code.PROTOCOL_ERROR]: 'protocol_error',
  [Code.NOT_AUTHORIZED]: 'not_authorized',
  [Code.SERVER_SHUTTING_DOWN]: 'server_shutting_down',
  [Code.KEEP_ALIVE_TIMEOUT]: 'keepalive_timeout',
  [Code.SESSION_TAKEN_OVER]: 'takenover',
  [Code.TOPIC_FILTER_INVALID]: 'topic_filter_invalid',
  [Code.TOPIC_NAME_INVALID]: 'topic_name_invalid',
  [Code.RECEIVE_MAXIMUM_EXCEEDED]: 'receive_maximum_exceeded',
  [Code.PACKET_TOO_LARGE]: 'packet_too_large',
  [Code.QUOTA_EXCEEDED]: 'quota_exceeded',
  [Code.ADMINISTRATIVE_ACTION]: 'kicked',
};

/** @param other the word for a code that has none. */
export function wordOf(code: number, other: string): string {
  return WORDS[code] ?? other;
}
