import { ACTIONS, RESOURCE_TYPES } from '../actions.js';
import type { Action } from '../authorizer.js';

/** Which texts there can be of a kind, as a deterministic automaton over code points. */
export interface Syntax {
  readonly start: number;
  /** There is but one text. */
  readonly one?: true;
  /** The characters that can come next, where they are few and the text goes on in no other way. */
  readonly only?: (state: number) => readonly number[] | undefined;
  /** The state after the character; nothing where no text of the kind goes on with it. */
  readonly next: (state: number, char: number) => number | undefined;
  readonly accepts: (state: number) => boolean;
}

const NUL = 0;
const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;

function without(...forbidden: readonly number[]): Syntax {
  return { start: 0, next: (_, char) => (forbidden.includes(char) ? undefined : 0), accepts: () => true };
}

/** MQTT 5, section 1.5.4: no U+0000 in any text. */
const CLIENT_ID = without(NUL);
/** Section 4.7.1: no wildcards in the name of a topic. */
export const TOPIC = without(NUL, PLUS, HASH);

/** Where in its level a filter is. */
const LEVEL_START = 0;
const IN_TEXT = 1;
const AFTER_PLUS = 2;
const AFTER_HASH = 3;
/** The states of each kind of resource are less, and begin with 0. */
const STATES = 4;

/** Section 4.7.1: `+` only as a whole level, `#` only as the whole last level. */
const FILTER: Syntax = {
  start: LEVEL_START,
  next(state, char) {
    if (char === NUL || state === AFTER_HASH) return undefined;
    if (char === SLASH) return LEVEL_START;
    if (state === AFTER_PLUS) return undefined;
    if (char !== PLUS && char !== HASH) return IN_TEXT;
    if (state !== LEVEL_START) return undefined;
    return char === PLUS ? AFTER_PLUS : AFTER_HASH;
  },
  accepts: () => true,
};

const SYNTAX = { client: CLIENT_ID, topic: TOPIC, topicfilter: FILTER };

/** Beginnings of a resource that do not say all of its kind yet, and `*`, which is one. */
const BEGINNINGS = [
  ...new Set(RESOURCE_TYPES.flatMap((type) => Array.from(`${type}/`, (_, at) => type.slice(0, at)))),
  '*',
];
const WORDS = ['*', ...RESOURCE_TYPES.map((type) => `${type}/`)];

/** A resource of any kind, with its kind, or `*`. States are places in BEGINNINGS, and behind them those of each kind. */
const RESOURCE: Syntax = {
  start: 0,
  only(state) {
    const read = BEGINNINGS[state];
    if (read === undefined) return undefined;
    return WORDS.flatMap((word) => (word.startsWith(read) ? (word.codePointAt(read.length) ?? []) : []));
  },
  next(state, char) {
    const read = BEGINNINGS[state];
    if (read !== undefined) {
      const longer = read + String.fromCodePoint(char);
      const place = RESOURCE_TYPES.findIndex((type) => longer === `${type}/`);
      if (place >= 0) return BEGINNINGS.length + place * STATES;
      const found = BEGINNINGS.indexOf(longer);
      return found < 0 ? undefined : found;
    }
    const behind = state - BEGINNINGS.length;
    const inner = behind % STATES;
    const type = RESOURCE_TYPES[(behind - inner) / STATES];
    const next = type && SYNTAX[type].next(inner, char);
    return next === undefined ? undefined : state - inner + next;
  },
  accepts: (state) => BEGINNINGS[state] === '*' || state >= BEGINNINGS.length,
};

/** What the names of the action's resources are made of. */
export function syntaxOf(action: Action): Syntax {
  const kind = ACTIONS[action];
  if (kind === undefined) return exactly('*');
  return kind === 'any' ? RESOURCE : SYNTAX[kind];
}

/** The one text. */
export function exactly(text: string): Syntax {
  const chars = Array.from(text, (char) => char.codePointAt(0) as number);
  return {
    start: 0,
    one: true,
    only: (state) => chars.slice(state, state + 1),
    next: (state, char) => (chars[state] === char ? state + 1 : undefined),
    accepts: (state) => state === chars.length,
  };
}
