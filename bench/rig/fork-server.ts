import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * Forks `bench/NAME/server.ts` as it was compiled before this run, which is how the service ships: run as TypeScript,
 * each inner function would be given its name anew whenever it is created, and that is a good part of a request.
 */
export function forkServer(name: 'emqx' | 'http' | 'mosquitto' | 'rig', args: readonly string[] = []): ChildProcess {
  const compiled = new URL(`../../build/bench/${name}/server.js`, import.meta.url);
  return fork(fileURLToPath(compiled), args, { execArgv: [] });
}
