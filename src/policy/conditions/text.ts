import {
  PatternError,
  matchPattern,
  matchTokens,
  parsePattern,
  resolveTokens,
  type PlainToken,
  type Token,
} from '../matching/pattern.js';
import { FALSE, TRUE, UNKNOWN, every, type Tri } from '../matching/tri.js';
import type { Operator } from './operators.js';

const truth = (value: boolean): Tri => (value ? TRUE : FALSE);

/** A text without wildcards, with its variables replaced; `fold` makes the comparison blind to case. */
function equality(fold: (text: string) => string): Operator {
  return {
    compile(value, variables) {
      const { tokens } = parsePattern(value, { wildcards: false, variables });
      const [only = ''] = tokens;
      if (tokens.length <= 1 && typeof only === 'string') {
        const expected = fold(only);
        return (actual) => truth(fold(actual) === expected);
      }
      return (actual, context) => {
        const { resolved, missing } = resolveTokens(tokens, context);
        const folded = resolved.map((token) => (typeof token === 'string' ? fold(token) : token));
        if (!matchTokens(folded, fold(actual))) return FALSE;
        return missing ? UNKNOWN : TRUE;
      };
    },
  };
}

export const stringEquals = equality((text) => text);
export const stringEqualsIgnoreCase = equality((text) => text.toLowerCase());

export const stringLike: Operator = {
  compile(value, variables) {
    const { tokens, variables: used } = parsePattern(value, { wildcards: true, variables });
    if (used.length > 0) return (actual, context) => matchPattern(tokens, actual, context);
    return (actual) => truth(matchTokens(tokens as readonly PlainToken[], actual));
  },
};

const ARN_PARTS = 6;

/**
 * ArnEquals and ArnLike are one: each of the six parts between colons is matched on its own, with wildcards. A colon
 * that comes out of a variable parts nothing. What is no ARN cannot be compared.
 */
export const arnLike: Operator = {
  compile(value, variables) {
    const pattern = parsePattern(value, { wildcards: true, variables });
    const parts = splitTokens(pattern.tokens);
    if (parts.length !== ARN_PARTS && value !== '*') throw new PatternError('an ARN (six parts between colons) or *');
    return (actual, context) => {
      const texts = splitArn(actual);
      if (texts.length !== ARN_PARTS) return UNKNOWN;
      if (value === '*') return TRUE;
      return every(parts, (tokens) => matchPattern(tokens, texts[parts.indexOf(tokens)] ?? '', context));
    };
  },
};

/** At most six parts: the last one keeps its colons. */
function splitArn(text: string): string[] {
  const parts = text.split(':');
  return [
    ...parts.slice(0, ARN_PARTS - 1),
    ...(parts.length < ARN_PARTS ? [] : [parts.slice(ARN_PARTS - 1).join(':')]),
  ];
}

function splitTokens(tokens: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]];
  for (const token of tokens) {
    if (typeof token !== 'string') {
      parts.at(-1)?.push(token);
      continue;
    }
    token.split(':').forEach((text, index) => {
      if (index > 0 && parts.length < ARN_PARTS) parts.push([text]);
      else parts.at(-1)?.push(index > 0 ? `:${text}` : text);
    });
  }
  return parts.map((part) => part.filter((token) => token !== ''));
}

/** Text compared with `true` or `false`, whatever its case. A fact that is neither cannot be compared. */
export const bool: Operator = {
  compile(value, variables) {
    const pattern = parsePattern(value, { wildcards: false, variables });
    if (pattern.variables.length === 0 && !isBool(value)) throw new PatternError('true or false');
    const equals = stringEqualsIgnoreCase.compile(value, variables);
    return (actual, context) => (isBool(actual) ? equals(actual, context) : UNKNOWN);
  },
};

function isBool(text: string): boolean {
  return /^(?:true|false)$/i.test(text);
}

/** Bytes: the value of the policy is base64, the fact is compared by its UTF-8 bytes. */
export const binaryEquals: Operator = {
  compile(value) {
    const bytes = Buffer.from(value, 'base64');
    if (bytes.toString('base64') !== value) throw new PatternError('base64 with padding');
    return (actual) => truth(bytes.equals(Buffer.from(actual, 'utf8')));
  },
};
