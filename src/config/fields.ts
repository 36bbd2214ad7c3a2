import { z } from 'zod';
import { isPattern } from '../clients/modes.js';
import { isNetwork } from '../networks.js';
import { isTopicFilter } from '../policy/matching/topics.js';

/**
 * The kinds of settings. Each says its whole rule in one sentence, whatever part of it is broken. Numbers
 * and flags may be texts, as they are in the environment; an empty value is no number.
 */
function numeric(value: unknown): unknown {
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
}

/** A whole number of a range. */
export function count(least: number, most: number) {
  const error = `must be a whole number from ${least} to ${most}`;
  return z.preprocess(numeric, z.int({ error }).min(least, { error }).max(most, { error }));
}

export const port = count(0, 65_535);

/** A share of a whole. */
export const ratio = z.preprocess(
  numeric,
  z
    .number({ error: 'must be a number from 0 to 1' })
    .min(0, 'must be a number from 0 to 1')
    .max(1, 'must be a number from 0 to 1'),
);

/** Messages or requests: so many a second on average, so many at once. */
export const rate = z.strictObject({
  perSecond: z.preprocess(
    numeric,
    z.number({ error: 'must be a number above 0' }).positive('must be a number above 0'),
  ),
  burst: count(1, 1_000_000),
});

export const flag = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean({ error: 'must be true or false' }),
);

/** A text that is not empty. */
export const text = z.string({ error: 'must be a text' }).min(1, 'must not be empty');

/** What the broker's plugin is told, in a line of its own. */
export const line = text.regex(/^[^\p{Cc}]*$/u, 'must have no control characters');

export const topicFilters = z.array(
  line.refine((filter) => isTopicFilter(filter), 'must be a topic filter'),
  { error: 'must be a list of topic filters' },
);

export const url = z
  .string({ error: 'must be a text' })
  .regex(/^(mqtts?:\/\/[^/]+|unix:.+)$/, 'must be mqtt://HOST:PORT, mqtts://HOST:PORT or, behind the door, unix:PATH');

/** Of a URL. */
export const path = text.regex(/^\/[^?#]*$/, 'must begin with / and hold neither ? nor #');

export const network = text.refine(isNetwork, { message: 'must be an IP address or a network such as 10.0.0.0/8' });

/** With `*` and `?`, as in principals.json. */
export const principalPattern = text.refine(
  (pattern) => isPattern(pattern),
  'must be a name or a pattern with * and ?',
);

export const httpUrl = z.url({ protocol: /^https?$/, error: 'must be a URL with http: or https:' });
