import { QUESTIONS_PREFIX } from '../clients/reserved.js';

/**
 * What the plugin asks in ExHook's place, with the facts for which ExHook's requests have no field. It comes as
 * OnClientAuthorize of a PUBLISH on `$tightbeam/+/{JSON}`. No client can bring that about: the plugin refuses every PUBLISH
 * and SUBSCRIBE of a client there, and without the plugin the broker closes the connection of whoever publishes on a topic
 * name with a `+` in it (MQTT 5, section 3.3.2.1); what is not of this form is a topic like any other, refused by the
 * use cases.
 */
export interface Question extends QuestionFacts {
  /**
   * `connect`: who is it, and may it connect, whatever its will? `will`: may the connected client have this will, or none?
   * The others: may it do this with the topic or filter?
   */
  readonly ask: 'connect' | 'will' | 'publish' | 'subscribe';
  /** Of `publish` and `subscribe`, as EMQX asks about it; of the others there is none. */
  readonly topic?: string;
  readonly qos?: number | undefined;
  readonly retain?: boolean | undefined;
  readonly will?: { readonly topic: string; readonly retain: boolean } | undefined;
}

/** Absent is what the broker does not tell. */
export interface QuestionFacts {
  /** The session outlives the connection. */
  readonly persistent?: boolean | undefined;
  readonly secureTransport?: boolean | undefined;
  /** Of the TLS server name indication; null: the client named none. */
  readonly serverName?: string | null | undefined;
  /** The certificate that the handshake verified: DER in base64. */
  readonly certificate?: string | undefined;
}

const PREFIX = `${QUESTIONS_PREFIX}+/`;
const KINDS: readonly unknown[] = ['connect', 'will', 'publish', 'subscribe'] satisfies Question['ask'][];

/** The question, where the topic is one. By hand: there is one for every authorization that a broker does not remember. */
export function readQuestion(topic: string): Question | undefined {
  if (!topic.startsWith(PREFIX)) return undefined;
  const value = objectIn(topic.slice(PREFIX.length));
  return value !== undefined && isQuestion(value) ? value : undefined;
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isQuestion(value: Record<string, unknown>): value is Record<string, unknown> & Question {
  const { ask, topic, qos, retain, will, persistent, secureTransport, serverName, certificate } = value;
  const isAboutTopic = ask === 'publish' || ask === 'subscribe';
  return (
    KINDS.includes(ask) &&
    typeof topic === (isAboutTopic ? 'string' : 'undefined') &&
    (qos === undefined || qos === 0 || qos === 1 || qos === 2) &&
    isFlag(retain) &&
    isFlag(persistent) &&
    isFlag(secureTransport) &&
    (serverName === undefined || serverName === null || typeof serverName === 'string') &&
    (certificate === undefined || typeof certificate === 'string') &&
    (will === undefined || isWill(will))
  );
}

function isFlag(value: unknown): boolean {
  return value === undefined || typeof value === 'boolean';
}

function isWill(value: unknown): boolean {
  const will = value as Partial<Record<'topic' | 'retain', unknown>> | null;
  return typeof will === 'object' && typeof will?.topic === 'string' && typeof will.retain === 'boolean';
}
