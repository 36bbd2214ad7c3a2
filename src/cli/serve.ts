import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Service } from '../app.js';
import type { BrokerName } from '../brokers/brokers.js';
import { EmbeddedBrokerMissing, loadEmbeddedBroker } from '../brokers/embedded/load.js';
import { ENVIRONMENT } from '../config/environment.js';
import { ConfigError, loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { CredentialsError } from '../identity/credentials.js';
import { PolicyLoadError } from '../policy/reading/problems.js';
import { TlsFilesError } from '../tls/files.js';
import { PACKAGE_ROOT } from '../version.js';
import { banner } from './banner.js';
import { stopSignal } from './signals.js';

/**
 * Settings of `tightbeam dev` below the file and the environment: the example policies, and credentials that everybody
 * knows, for a broker that listens on this machine only.
 */
export const DEV_DEFAULTS = {
  policies: join(PACKAGE_ROOT, 'policies'),
  credentials: join(PACKAGE_ROOT, 'dev', 'credentials.json'),
  broker: { password: randomBytes(16).toString('hex'), connections: 2 },
  console: {},
};

/** Access key of dev/credentials.json that may see everything: who follows the link of `tightbeam dev` is signed in as it. */
const DEV_OPERATOR = 'AKIAIOPERATOREXAMPLE';

interface Options {
  readonly config?: string;
}

/** `tightbeam serve`. */
export function serveCommand(command: Command): void {
  command
    .option('--config <file>', 'settings, YAML or JSON (default: environment variables alone)')
    .addHelpText('after', environmentHelp())
    .action((options: Options) => run(options, {}));
}

/** `tightbeam dev`. */
export function devCommand(command: Command): void {
  command
    .option('--config <file>', 'settings, YAML or JSON (default: environment variables alone)')
    .addHelpText(
      'after',
      `
Runs everything in one process, for this machine only: an MQTT broker (3.1.1 and 5), the hook provider, the
data-plane API, and metrics. Users and access keys are those of dev/credentials.json, policies those of policies/.
Port 0 takes a free port; the line with "msg":"ready" says which.
${environmentHelp()}`,
    )
    .action((options: Options) => run(options, DEV_DEFAULTS, 'embedded'));
}

function environmentHelp(): string {
  const width = Math.max(...ENVIRONMENT.map(({ name }) => name.length));
  const lines = ENVIRONMENT.map(({ name, describe }) => `  ${name.padEnd(width)}  ${describe}`);
  return `\nEnvironment (each overrides the same setting of the file):\n${lines.join('\n')}\n\nSIGTERM and SIGINT drain: no new requests, confirmations in flight finish; a second one ends at once. SIGHUP reloads policies, credentials, the modes of authorization, and what is logged and counted.`;
}

/** @param only the broker, whatever the settings say. */
async function run(options: Options, defaults: object, only?: BrokerName): Promise<void> {
  let service: Service;
  let config: Config;
  try {
    // First: where it is missing, so are the files that come with it.
    if (only === 'embedded') await loadEmbeddedBroker();
    const readConfig = (): Config => loadConfig(options.config, process.env, { ...defaults });
    config = readConfig();
    // Only now: the other commands need none of it, and should not wait for it.
    const { startService } = await import('../app.js');
    service = await startService(config, {
      broker: only ?? config.broker.kind,
      readConfig,
      ...(only === 'embedded' && { consoleLinkFor: DEV_OPERATOR }),
    });
  } catch (error) {
    process.stderr.write(`tightbeam: ${describe(error)}\n`);
    process.exitCode = 1;
    return;
  }
  if (only === 'embedded' && process.stderr.isTTY) {
    process.stderr.write(banner(service.ports, config.aws.region, service.consoleLink()));
    offerLinks(service);
  }
  process.on('SIGHUP', () => void service.reload());
  await stopSignal();
  await service.stop();
  // Handles of libraries must not keep a process alive that has said that it stopped.
  process.exit(0);
}

/** A link to the console is good for a minute: Enter makes another. */
function offerLinks(service: Service): void {
  if (!process.stdin.isTTY || service.consoleLink() === undefined) return;
  process.stdin.on('data', () => {
    process.stderr.write(`The console, for a minute: ${service.consoleLink() ?? ''}\n`);
  });
}

/** Why it did not start: errors of the user's making in words, anything else with its stack. */
export function describe(error: unknown): string {
  const known = [ConfigError, CredentialsError, EmbeddedBrokerMissing, PolicyLoadError, TlsFilesError];
  if (known.some((kind) => error instanceof kind)) return (error as Error).message;
  if (!(error instanceof Error)) return String(error);
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code !== undefined && syscall !== undefined ? error.message : (error.stack ?? error.message);
}
