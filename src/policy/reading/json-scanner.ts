import type { Work } from '../work.js';

/** Names of elements and indexes of arrays, from the outside to the inside. */
export type Steps = readonly (string | number)[];

/** A place in a JSON text. */
export interface JsonPlace {
  /** The element that it belongs to. */
  readonly steps: Steps;
  /** Characters before it. */
  readonly at: number;
}

export interface JsonFault extends JsonPlace {
  readonly expected: string;
}

export interface DuplicateName extends JsonPlace {
  readonly name: string;
}

/** An element of the object in the root that was asked for, and where its value stands. */
export interface Member {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface JsonScan {
  /** The elements of the object that was asked for; nothing where there is none of that name. */
  readonly members: readonly Member[] | undefined;
  /** Names that stand for a second time in their object. */
  readonly duplicates: readonly DuplicateName[];
  /** Where the text stops being JSON. */
  readonly fault: JsonFault | undefined;
}

/** An object or array that is not closed yet. */
interface Level {
  /** Of an object, those so far. */
  readonly names: Set<string> | undefined;
  /** The name or index where the scan is; nothing before the first name. */
  step: string | number | undefined;
}

type Expecting = 'value' | 'first value' | 'name' | 'first name' | 'colon' | 'comma or end' | 'nothing';

const EXPECTED: Readonly<Record<Expecting, string>> = {
  value: 'a value',
  'first value': 'a value or ]',
  name: 'a name in double quotes',
  'first name': 'a name in double quotes or }',
  colon: ': after the name',
  'comma or end': 'a comma or the closing bracket',
  nothing: 'nothing after the end',
};

/** No policy is nested deeper; what is below is told by the place of what is above. */
const MAX_STEPS = 8;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** Tokens read before the scan may pause. */
const TOKENS = 64;

/**
 * What JSON.parse does not tell (RFC 8259): which names an object has twice, of which it keeps the last one in silence,
 * and where and why a text is no JSON. One pass without recursion, in linear time, that can pause.
 *
 * Not jsonc-parser, which tells offsets too: it calls itself for each level, so that a hostile file ends it with a stack that
 * is full; it goes through a text without a pause, which for megabytes holds up everybody; and it mends and goes on where
 * JSON.parse stops (read: microsoft/node-jsonc-parser, src/impl/parser.ts, `visit`).
 * @param limit duplicates beyond so many are not collected
 * @param large the name of an object in the root, whose elements are to be told one by one
 */
export function scanJson(text: string, limit: number, large?: string): Work<JsonScan> {
  return new Scanner(text, limit, large).scan();
}

class Scanner {
  private readonly levels: Level[] = [];
  private readonly duplicates: DuplicateName[] = [];
  private expecting: Expecting = 'value';
  private at = 0;
  private members: Member[] | undefined;
  /** Where the value of the member begins that is read now. */
  private start = 0;

  constructor(
    private readonly text: string,
    private readonly limit: number,
    private readonly large: string | undefined,
  ) {}

  *scan(): Work<JsonScan> {
    let expected: string | undefined;
    for (let tokens = 1; expected === undefined && this.skipSpace(); tokens++) {
      expected = this.token(this.text.charAt(this.at));
      if (tokens % TOKENS === 0) yield;
    }
    if (expected === undefined && this.expecting !== 'nothing') expected = EXPECTED[this.expecting];
    const fault = expected === undefined ? undefined : { steps: this.steps(), at: this.at, expected };
    return { members: this.members, duplicates: this.duplicates, fault };
  }

  /** False at the end of the text. */
  private skipSpace(): boolean {
    const { text } = this;
    for (; this.at < text.length; this.at++) {
      const code = text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return true;
    }
    return false;
  }

  /** Reads one token; what should stand there instead, where it does not belong there. */
  private token(character: string): string | undefined {
    const level = this.levels.at(-1);
    switch (this.expecting) {
      case 'first value':
        if (character === ']') return this.close();
        return this.value(character);
      case 'value':
        if (character === ']' && level !== undefined) return 'another value after the comma, or no comma';
        return this.value(character);
      case 'first name':
        if (character === '}') return this.close();
        return this.name(character, level);
      case 'name':
        if (character === '}') return 'another name after the comma, or no comma';
        return this.name(character, level);
      case 'colon':
        if (character !== ':') return EXPECTED.colon;
        this.at++;
        this.expecting = 'value';
        return undefined;
      case 'comma or end':
        if (character === (level?.names === undefined ? ']' : '}')) return this.close();
        if (character !== ',') return EXPECTED['comma or end'];
        this.at++;
        if (typeof level?.step === 'number') level.step++;
        this.expecting = level?.names === undefined ? 'value' : 'name';
        return undefined;
      case 'nothing':
        return EXPECTED.nothing;
    }
  }

  private value(character: string): string | undefined {
    if (this.inLarge) this.start = this.at;
    if (character === '{') return this.open({ names: new Set(), step: undefined }, 'first name');
    if (character === '[') return this.open({ names: undefined, step: 0 }, 'first value');
    if (character === '"') return this.string() ?? this.ended();
    SCALAR.lastIndex = this.at;
    if (!SCALAR.test(this.text)) return EXPECTED[this.expecting];
    this.at = SCALAR.lastIndex;
    return this.ended();
  }

  private name(character: string, level: Level | undefined): string | undefined {
    if (character !== '"') return EXPECTED[this.expecting];
    const start = this.at;
    const expected = this.string();
    if (expected !== undefined || level?.names === undefined) return expected;
    const written = this.text.slice(start, this.at);
    const name = written.includes('\\') ? (JSON.parse(written) as string) : written.slice(1, -1);
    level.step = name;
    if (level.names.has(name) && this.duplicates.length < this.limit) {
      this.duplicates.push({ name, at: start, steps: this.steps() });
    }
    level.names.add(name);
    this.expecting = 'colon';
    return undefined;
  }

  private string(): string | undefined {
    const { text } = this;
    for (let at = this.at + 1; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === 0x22) {
        this.at = at + 1;
        return undefined;
      }
      if (code === 0x5c) {
        ESCAPE.lastIndex = at;
        if (ESCAPE.test(text)) at = ESCAPE.lastIndex - 1;
        else return this.faultAt(at, 'one of the escapes of JSON after a backslash');
      } else if (code < 0x20) {
        return this.faultAt(at, 'the closing double quote, or \\n and the like for control characters');
      }
    }
    return this.faultAt(text.length, 'the closing double quote');
  }

  private faultAt(at: number, expected: string): string {
    this.at = at;
    return expected;
  }

  private open(level: Level, expecting: Expecting): string | undefined {
    const [root, outer] = this.levels;
    if (outer === undefined && root?.step === this.large && level.names !== undefined) this.members = [];
    this.levels.push(level);
    this.at++;
    this.expecting = expecting;
    return undefined;
  }

  private close(): string | undefined {
    this.levels.pop();
    this.at++;
    return this.ended();
  }

  /** Directly in the object whose elements are told one by one. */
  private get inLarge(): boolean {
    return this.levels.length === 2 && this.members !== undefined && this.levels[0]?.step === this.large;
  }

  /** After a whole value. */
  private ended(): string | undefined {
    if (this.inLarge) this.members?.push({ name: String(this.levels[1]?.step), start: this.start, end: this.at });
    this.expecting = this.levels.length === 0 ? 'nothing' : 'comma or end';
    return undefined;
  }

  private steps(): Steps {
    const steps: (string | number)[] = [];
    for (const { step } of this.levels) {
      if (step === undefined || steps.length === MAX_STEPS) break;
      steps.push(step);
    }
    return steps;
  }
}
