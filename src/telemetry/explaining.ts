import { DISCONNECT_REASONS, type DisconnectReason } from '../observing/disconnect-reasons.js';
import { nearest } from '../nearest.js';
import type { Decision } from '../policy/authorizer.js';
import { isReason, REASONS, type ReasonEntry } from '../reasons.js';
import { answers, explainReason } from './reason-text.js';

const DISCONNECTS: Readonly<Record<DisconnectReason, string>> = {
  AUTH_ERROR: 'The broker ended the connection because of its credentials, or of what the client may not do.',
  CLIENT_INITIATED_DISCONNECT: 'The client said goodbye: a DISCONNECT. Nothing is wrong.',
  CLIENT_ERROR: 'The client broke the rules of MQTT; `details` has the word of the broker. Look at its MQTT library.',
  CONNECTION_LOST: 'The connection broke without a word: network, power, or a client that was killed.',
  DUPLICATE_CLIENTID:
    'Another connection came with the same client ID, and the broker ended this one. A device that comes back does that ' +
    'once; two devices with one client ID do it to each other again and again.',
  MQTT_KEEP_ALIVE_TIMEOUT:
    'Nothing came from the client for one and a half times its Keep Alive: network, or it hangs.',
  SERVER_ERROR: 'The broker failed. Look at its log.',
  SERVER_INITIATED_DISCONNECT: 'The broker is shutting down, or moves its clients elsewhere.',
  API_INITIATED_DISCONNECT: 'Somebody ended the connection: DeleteConnection, or the dashboard or API of the broker.',
  THROTTLED: 'The client did more than the limits of the broker allow.',
  UNKNOWN: 'The broker gave a word that is not known here; `details` has it.',
};

const CAUSES: Readonly<Record<Decision['cause'], string>> = {
  explicitAllow: 'A statement with the effect Allow matched, and no Deny.',
  explicitDeny:
    'A statement with the effect Deny matched: `policy` and `statement` name it. A Deny wins over every Allow.',
  implicitDeny: 'No statement allows it. `tightbeam policy explain` says of each how near it came.',
  noPrincipal: 'Nobody in principals.json stands for this identity: the facts on the line are what it has.',
  error: 'A Deny could not be evaluated, and so denies: `details` says why.',
};

/** Every word that is explained, as the product prints it. Codes are explained besides. */
const WORDS = [...Object.keys(REASONS), ...Object.keys(DISCONNECTS), ...Object.keys(CAUSES)];

/**
 * What a word of the log, of an answer or of a PUBACK means: a reason, a disconnect reason, the cause of a decision, an HTTP
 * status (`404`), a PUBACK code (`0x90`). Ends with a newline; undefined where nothing is called so.
 */
export function explainWord(word: string): string | undefined {
  const upper = word.toUpperCase();
  if (isReason(upper)) return explainReason(upper);
  if (Object.hasOwn(DISCONNECTS, upper)) return explainDisconnect(upper as DisconnectReason);
  const cause = Object.keys(CAUSES).find((name) => name.toUpperCase() === upper) as Decision['cause'] | undefined;
  if (cause !== undefined) return `${cause} (the cause of a decision)\n\n${CAUSES[cause]}\n`;
  if (/^[1-5]\d\d$/.test(word)) return explainCode(`HTTP ${word}`, ({ http }) => http === word);
  const code = /^0x([0-9a-f]{1,2})$/i.exec(word)?.[1];
  if (code === undefined) return undefined;
  return explainCode(`PUBACK 0x${code.padStart(2, '0').toUpperCase()}`, ({ mqtt }) => {
    return Number.parseInt(mqtt, 16) === Number.parseInt(code, 16);
  });
}

/** The word that was probably meant. */
export function nearestWord(word: string): string | undefined {
  return nearest(word, WORDS);
}

function explainDisconnect(name: DisconnectReason): string {
  const words = Object.keys(DISCONNECT_REASONS).filter((word) => DISCONNECT_REASONS[word] === name);
  const told = words.length === 0 ? '' : `\nWords of the broker for it: ${words.join(', ')}\n`;
  return `${name} (why a connection ended)\n\n${DISCONNECTS[name]}\n${told}`;
}

function explainCode(title: string, is: (answer: ReturnType<typeof answers>) => boolean): string | undefined {
  const found = Object.entries(REASONS as Record<string, ReasonEntry>).filter(([, entry]) => is(answers(entry)));
  if (found.length === 0) return undefined;
  const lines = found.map(([reason, { message }]) => `  ${reason}: ${message}`);
  return `${title} stands for\n\n${lines.join('\n')}\n\nMore of one: tightbeam logs explain REASON\n`;
}
