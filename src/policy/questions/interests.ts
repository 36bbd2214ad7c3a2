import type { Action } from '../authorizer.js';
import type { Statement } from '../reading/document.js';
import type { Interests } from './situations.js';
import { parsePattern } from '../matching/pattern.js';

const CLIENT = /^iot:(?:clientid|connection\.thing\..+)$/;
/** Variables that need a fact of which principals.json says nothing. */
const OPEN = /^(?:iot:certificate|aws:(?!username$|currenttime$|epochtime$))/;
/** With each of them there are twice as many situations. */
const MAX_KEYS = 2;

/** What the statements ask about whoever asks. */
export function interestsOf(statements: readonly Statement[], action: Action): Interests {
  const inResources = statements.flatMap(({ resources }) => resources.flatMap(({ variables }) => variables));
  const conditions = statements.flatMap((statement) => statement.conditions);
  const inValues = conditions.flatMap(({ values, variables }) =>
    variables ? values.flatMap((value) => parsePattern(value, { wildcards: false, variables }).variables) : [],
  );
  const filled = new Set([...inResources, ...inValues].map(({ key }) => key.name.toLowerCase()));
  const asked = [...filled, ...conditions.map(({ key }) => key.name.toLowerCase())];
  const username = asked.includes('aws:username');
  return {
    client: asked.some((key) => CLIENT.test(key)) || (action === 'iot:Connect' && username),
    username,
    keys: [...filled].filter((key) => OPEN.test(key)).slice(0, MAX_KEYS),
  };
}
