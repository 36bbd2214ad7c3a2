import type { Work } from './work.js';

export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

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

export interface JsonScan {
  /** What the text says; nothing where it is no JSON. Of a name that stands twice the last one, as JSON.parse has it. */
  readonly value: Json | undefined;
  /** Names that stand for a second time in their object. */
  readonly duplicates: readonly DuplicateName[];
  /** Where the text stops being JSON. */
  readonly fault: JsonFault | undefined;
}

/** An object or array that is not closed yet. */
interface Level {
  readonly value: Json[] | Record<string, Json>;
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

/** Set in the usual way `__proto__` would be no element. */
const PLAIN = { enumerable: true, writable: true, configurable: true };
/** Tokens read before the scan may pause. */
const TOKENS = 64;
/** Shorter texts are copied when they are cut out; longer ones would keep the whole text in memory. */
const COPIED = 13;

/**
 * Reads JSON (RFC 8259) in pieces, which JSON.parse cannot, and tells what it does not: which names an object has twice,
 * of which it keeps the last one in silence, and where and why a text is no JSON. One pass without recursion, in linear
 * time.
 * @param limit duplicates beyond so many are not collected
 */
export function scanJson(text: string, limit: number): Work<JsonScan> {
  return new Scanner(text, limit).scan();
}

class Scanner {
  private readonly levels: Level[] = [];
  private readonly duplicates: DuplicateName[] = [];
  private expecting: Expecting = 'value';
  private at = 0;
  private root: Json | undefined;

  constructor(
    private readonly text: string,
    private readonly limit: number,
  ) {}

  *scan(): Work<JsonScan> {
    let expected: string | undefined;
    for (let tokens = 1; expected === undefined && this.skipSpace(); tokens++) {
      expected = this.token(this.text.charAt(this.at));
      if (tokens % TOKENS === 0) yield;
    }
    if (expected === undefined && this.expecting !== 'nothing') expected = EXPECTED[this.expecting];
    const fault = expected === undefined ? undefined : { steps: this.steps(), at: this.at, expected };
    return { value: fault === undefined ? this.root : undefined, duplicates: this.duplicates, fault };
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
        if (character === (Array.isArray(level?.value) ? ']' : '}')) return this.close();
        if (character !== ',') return EXPECTED['comma or end'];
        this.at++;
        if (typeof level?.step === 'number') level.step++;
        this.expecting = Array.isArray(level?.value) ? 'value' : 'name';
        return undefined;
      case 'nothing':
        return EXPECTED.nothing;
    }
  }

  private value(character: string): string | undefined {
    if (character === '{') return this.open({ value: {}, step: undefined }, 'first name');
    if (character === '[') return this.open({ value: [], step: 0 }, 'first value');
    const start = this.at;
    if (character === '"') {
      const expected = this.string();
      return expected ?? this.ended(this.written(start));
    }
    SCALAR.lastIndex = start;
    if (!SCALAR.test(this.text)) return EXPECTED[this.expecting];
    this.at = SCALAR.lastIndex;
    return this.ended(JSON.parse(this.text.slice(start, this.at)) as Json);
  }

  private name(character: string, level: Level | undefined): string | undefined {
    if (character !== '"') return EXPECTED[this.expecting];
    const start = this.at;
    const expected = this.string();
    if (expected !== undefined || level === undefined) return expected;
    const name = this.written(start);
    level.step = name;
    if (Object.hasOwn(level.value, name) && this.duplicates.length < this.limit) {
      this.duplicates.push({ name, at: start, steps: this.steps() });
    }
    this.expecting = 'colon';
    return undefined;
  }

  /** What the text in double quotes says that began there and ends here. */
  private written(start: number): string {
    const written = this.text.slice(start, this.at);
    const asItStands = written.length < COPIED && !written.includes('\\');
    return asItStands ? written.slice(1, -1) : (JSON.parse(written) as string);
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
    this.levels.push(level);
    this.at++;
    this.expecting = expecting;
    return undefined;
  }

  private close(): string | undefined {
    const level = this.levels.pop();
    this.at++;
    return this.ended(level?.value as Json);
  }

  /** After a whole value. */
  private ended(value: Json): string | undefined {
    const level = this.levels.at(-1);
    if (level === undefined) this.root = value;
    else if (Array.isArray(level.value)) level.value.push(value);
    else if (level.step === '__proto__') Object.defineProperty(level.value, level.step, { value, ...PLAIN });
    else level.value[String(level.step)] = value;
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
