import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** What is measured after it is kept, and not only waiting to be collected. */
export const collectGarbage = runInNewContext('gc') as () => void;
