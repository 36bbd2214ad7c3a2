import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EmqxApi, Node } from '../api.js';
import { EmqxApiError } from '../rest.js';
import { type Audience, InstallError } from './plan.js';
import type { PluginPackage } from './plan-plugin.js';
import { NAME } from './state.js';

const TEN_MINUTES = 600_000;
const ASK_EVERY_MS = 2_000;
const SAY_EVERY_MS = 30_000;

/**
 * The first patch releases that take the package's hash with the leave; all of 6.3 do. Read in the tags of emqx/emqx,
 * apps/emqx_plugins/src/emqx_plugins.erl. The leave lapses in them, after 5 minutes or one installation.
 */
const PINNING: Readonly<Record<string, number>> = { '5.8': 11, '5.9': 3, '5.10': 4, '6.0': 3, '6.1': 2, '6.2': 1 };

/** What EMQX's administrator runs on one node, so that EMQX takes this package over its API, and no other of its name. */
export function allowCommand(given: PluginPackage, nodes: readonly Node[]): string {
  const command = `emqx ctl plugins allow ${NAME}-${given.version}`;
  return nodes.every(({ version }) => pins(version)) ? `${command} sha256:${hashOf(given)}` : command;
}

function pins(version = ''): boolean {
  const [, major = '0', minor = '0', patch = '0'] = /^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  const least = PINNING[`${major}.${minor}`];
  if (least !== undefined) return Number(patch) >= least;
  return Number(major) > 6 || (Number(major) === 6 && Number(minor) > 2);
}

const hashOf = ({ content }: PluginPackage) => createHash('sha256').update(content).digest('hex');

/**
 * Uploads the package. EMQX (5.8.9 and later) takes none before its administrator has allowed it, on a node's command
 * line: prints the command, and waits until it has been run.
 *
 * @returns what is left to do where nobody ran it in time.
 * @throws EmqxApiError for every other refusal; InstallError where the audience's signal came.
 */
export async function upload(
  api: EmqxApi,
  given: PluginPackage,
  nodes: readonly Node[],
  audience: Audience,
  withinMs = TEN_MINUTES,
): Promise<string | undefined> {
  const file = `${NAME}-${given.version}.tar.gz`;
  const command = allowCommand(given, nodes);
  const started = performance.now();
  let told = -Infinity;
  for (;;) {
    const refusal = await refusalOf(api.uploadPlugin(file, given.content));
    if (refusal === undefined) return undefined;
    const waited = performance.now() - started;
    if (waited >= withinMs) {
      return (
        `EMQX takes no plugin over its API before its administrator has allowed it. Run \`${command}\` on one node, and ` +
        'this again. Until then nothing is delivered and no guard is up.'
      );
    }
    if (waited - told >= SAY_EVERY_MS) {
      const minutes = Math.ceil((withinMs - waited) / 60_000);
      if (told === -Infinity)
        audience.say(`EMQX wants its administrator's leave. On one node, run\n        ${command}`);
      if (/sha256/.test(refusal)) audience.say(`it was allowed for a package of another hash than ${hashOf(given)}`);
      audience.say(`waiting for it, ${minutes} min at the most (Ctrl-C stops; run again to go on)`);
      told = waited;
    }
    await pause(Math.min(ASK_EVERY_MS, withinMs - waited), audience.signal);
  }
}

/** What EMQX says where it wants leave first; undefined where it took the package. */
async function refusalOf(uploaded: Promise<void>): Promise<string | undefined> {
  try {
    await uploaded;
    return undefined;
  } catch (error) {
    // Another 403 is for the API key: its role or scopes (UNAUTHORIZED_ROLE).
    if (error instanceof EmqxApiError && error.status === 403 && error.code === 'FORBIDDEN') return error.said;
    throw error;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw new InstallError(
      'Stopped while waiting for the leave to install the plugin. The ExHook server is registered, authorization is as ' +
        'it was, nothing is delivered yet. Run it again to go on.',
    );
  }
}
