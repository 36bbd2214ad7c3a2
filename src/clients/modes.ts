import { matchTokens, parsePattern, PatternError, type PlainToken } from '../policy/matching/pattern.js';
import type { Enforcement, InShadow, Mode } from './enforcement.js';

export interface ModeSettings {
  readonly mode: Mode;
  /** By names of principals, in which `*` and `?` are wildcards; the first that matches counts before `mode`. */
  readonly modes: Readonly<Record<string, Mode>>;
  readonly inShadow: InShadow;
}

/** The modes in force, which can be replaced while clients are being decided on. */
export class Modes implements Enforcement {
  #settings: ModeSettings;
  #patterns: readonly (readonly [tokens: readonly PlainToken[], mode: Mode])[];

  constructor(settings: ModeSettings) {
    this.#settings = settings;
    this.#patterns = patternsOf(settings);
  }

  get settings(): ModeSettings {
    return this.#settings;
  }

  get inShadow(): InShadow {
    return this.#settings.inShadow;
  }

  modeOf(principal: string | undefined): Mode {
    if (principal !== undefined) {
      for (const [tokens, mode] of this.#patterns) if (matchTokens(tokens, principal)) return mode;
    }
    return this.#settings.mode;
  }

  /** Counts from the next decision on. */
  replace(settings: ModeSettings): void {
    this.#patterns = patternsOf(settings);
    this.#settings = settings;
  }
}

function patternsOf({ modes }: ModeSettings): readonly (readonly [readonly PlainToken[], Mode])[] {
  return Object.entries(modes).map(([pattern, mode]) => [tokensOf(pattern), mode] as const);
}

function tokensOf(pattern: string): readonly PlainToken[] {
  return parsePattern(pattern, { wildcards: true, variables: false }).tokens as readonly PlainToken[];
}

/** Whether the text can be read as a pattern of names. */
export function isPattern(text: string): boolean {
  try {
    tokensOf(text);
    return true;
  } catch (error) {
    if (error instanceof PatternError) return false;
    throw error;
  }
}

/** Whether anybody at all is in shadow. */
export function hasShadow({ mode, modes }: ModeSettings): boolean {
  return mode === 'shadow' || Object.values(modes).includes('shadow');
}

/** The modes in one line for people. */
export function describeModes(settings: ModeSettings): string {
  const { mode, modes, inShadow } = settings;
  const others = Object.entries(modes).map(([pattern, own]) => `${pattern}: ${own}`);
  const shadow =
    inShadow === 'broker' ? 'in shadow the broker’s own decision stands' : 'in shadow everything is allowed';
  return [mode + (others.length === 0 ? '' : ` (${others.join(', ')})`), ...(hasShadow(settings) ? [shadow] : [])].join(
    '; ',
  );
}
