import { z } from 'zod';
import { isTopicFilter } from '../policy/matching/topics.js';
import { isPattern } from '../clients/modes.js';
import { isNetwork } from '../networks.js';

/* Kinds of settings. What comes from the environment is text. */

export const port = z.coerce.number().int().min(0).max(65535);
export const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
export const url = z
  .string()
  .regex(/^(mqtts?:\/\/[^/]+|unix:.+)$/, 'must be mqtt://HOST:PORT, mqtts://HOST:PORT or, behind the door, unix:PATH');
export const text = z.string().min(1);
/** What the broker's plugin is told, in a line of its own. */
export const line = text.regex(/^[^\p{Cc}]*$/u, 'must have no control characters');
export const topicFilters = z.array(line.refine(isTopicFilter, 'must be a topic filter'));
/** Of a URL. */
export const path = text.regex(/^\/[^?#]*$/, 'must begin with / and hold neither ? nor #');
/** Messages or requests: so many a second on average, so many at once. */
export const rate = z.strictObject({ perSecond: z.coerce.number().positive(), burst: count(1, 1_000_000) });
export const flag = z.preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), z.boolean());
export const network = text.refine(isNetwork, { message: 'must be an IP address or a network such as 10.0.0.0/8' });
/** With `*` and `?`, as in principals.json. */
export const principalPattern = text.refine(
  (pattern) => isPattern(pattern),
  'must be a name or a pattern with * and ?',
);
