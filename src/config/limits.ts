import type { Limits } from '../direct/limits.js';
import type { Config } from './schema.js';

/** What a direct message may be, by the section `limits`. */
export function limitsOf({ limits }: Config): Limits {
  const { payloadBytes, clientIdCharacters, topicBytes, topicSlashes, timeoutSeconds, defaultTimeoutSeconds } = limits;
  const sizes = { payloadBytes, clientIdCharacters, topicBytes, topicSlashes };
  return { ...sizes, maxTimeoutMs: timeoutSeconds * 1_000, defaultTimeoutMs: defaultTimeoutSeconds * 1_000 };
}
