import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Of this process. What finalizers release, the second round collects. */
export function collectGarbage(): void {
  collect();
  collect();
}
