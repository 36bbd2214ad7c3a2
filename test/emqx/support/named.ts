import { exec, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { PACKAGE, packageFile } from './package.js';
import type { Target } from './targets.js';

const Entry = z.strictObject({
  /** As EMQX gives it; where it is told, EMQX must have it. */
  version: z.string().optional(),
  mqttUrl: z.string(),
  apiUrl: z.string(),
  apiKey: z.string().default(''),
  apiSecret: z.string().default(''),
  pluginsDir: z.string().optional(),
  exHookHost: z.string().default('127.0.0.1'),
  /** A command. */
  restart: z.string().optional(),
  /** The command that is `emqx ctl` here; the arguments follow. */
  ctl: z.string().optional(),
  /** The second node of a cluster, and commands that end it without a farewell and start it again. */
  peer: z.strictObject({ mqttUrl: z.string(), kill: z.string().optional(), start: z.string().optional() }).optional(),
});
type Entry = z.output<typeof Entry>;

/**
 * The EMQX that the environment names: those of the JSON file TIGHTBEAM_EMQX_TARGETS, or one by variables of its own.
 *
 * @throws Error that names the file, where it is none of such a list.
 */
export function named(env = process.env): readonly Target[] {
  const { TIGHTBEAM_EMQX_TARGETS: file } = env;
  return (file === undefined ? fromVariables(env) : fromFile(file)).map(targetOf);
}

function fromFile(file: string): readonly Entry[] {
  try {
    return z
      .array(Entry)
      .min(1)
      .parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new Error(`TIGHTBEAM_EMQX_TARGETS, ${file}: ${why}`, { cause: error });
  }
}

function fromVariables(env: NodeJS.ProcessEnv): readonly Entry[] {
  if (env['TIGHTBEAM_EMQX_MQTT_URL'] === undefined || env['TIGHTBEAM_EMQX_API_URL'] === undefined) return [];
  const peerUrl = env['TIGHTBEAM_EMQX_PEER_MQTT_URL'];
  return [
    Entry.parse({
      mqttUrl: env['TIGHTBEAM_EMQX_MQTT_URL'],
      apiUrl: env['TIGHTBEAM_EMQX_API_URL'],
      apiKey: env['TIGHTBEAM_EMQX_API_KEY'],
      apiSecret: env['TIGHTBEAM_EMQX_API_SECRET'],
      pluginsDir: env['TIGHTBEAM_EMQX_PLUGINS_DIR'],
      exHookHost: env['TIGHTBEAM_EXHOOK_HOST'],
      restart: env['TIGHTBEAM_EMQX_RESTART'],
      ctl: env['TIGHTBEAM_EMQX_CTL'],
      ...(peerUrl !== undefined && {
        peer: {
          mqttUrl: peerUrl,
          kill: env['TIGHTBEAM_EMQX_PEER_KILL'],
          start: env['TIGHTBEAM_EMQX_PEER_START'],
        },
      }),
    }),
  ];
}

function targetOf({ version, pluginsDir, restart, ctl, peer, ...entry }: Entry): Target {
  const canKillPeer = peer?.kill !== undefined && peer.start !== undefined;
  return {
    name: version === undefined ? `EMQX at ${entry.mqttUrl}` : `EMQX ${version}`,
    ...(version !== undefined && { version }),
    canRestart: restart !== undefined,
    canCtl: ctl !== undefined,
    isCluster: peer !== undefined,
    canKillPeer,
    isLocal: /\/\/(127\.0\.0\.1|localhost)\b/.test(entry.mqttUrl),
    start: () =>
      Promise.resolve({
        ...entry,
        placePlugin: () => {
          if (pluginsDir !== undefined) copyFileSync(packageFile(), join(pluginsDir, basename(PACKAGE)));
          return Promise.resolve();
        },
        ...(restart !== undefined && { restart: () => run(restart) }),
        ...(ctl !== undefined && { ctl: (...args: readonly string[]) => printed(`${ctl} ${args.join(' ')}`) }),
        ...(peer && {
          peer: {
            mqttUrl: peer.mqttUrl,
            ...(canKillPeer && { kill: () => run(peer.kill ?? ''), start: () => run(peer.start ?? '') }),
          },
        }),
        close: () => Promise.resolve(),
      }),
  };
}

/** A command of the environment's owner. */
async function run(command: string): Promise<void> {
  // Asynchronously: the hook provider lives in this process, and EMQX asks for it while it starts.
  const [status] = (await once(spawn('sh', ['-c', command], { stdio: 'ignore' }), 'exit')) as [number | null];
  if (status !== 0) throw new Error(`ended with ${String(status)}: ${command}`);
}

async function printed(command: string): Promise<string> {
  return (await promisify(exec)(command)).stdout;
}
