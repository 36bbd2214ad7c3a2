import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { EmqxApi } from '../brokers/emqx/api.js';
import { diagnose } from '../brokers/emqx/install/doctor.js';
import type { ExHookTls } from '../brokers/emqx/install/exhook-tls.js';
import { carryOut, exHookUrl, planInstall } from '../brokers/emqx/install/install.js';
import { InstallError, type Plan } from '../brokers/emqx/install/plan.js';
import { packageVersion, type PluginPackage } from '../brokers/emqx/install/plan-plugin.js';
import { probe } from '../brokers/link/probe.js';
import { readState } from '../brokers/emqx/install/state.js';
import { whenStarted } from '../brokers/emqx/install/started.js';
import { planUninstall } from '../brokers/emqx/install/uninstall.js';
import { EmqxApiError, EmqxRest } from '../brokers/emqx/rest.js';
import { loadConfig } from '../config/load.js';
import { readCertificates, readIdentity, TlsFilesError } from '../tls/files.js';
import { VERSION } from '../version.js';
import { printDiagnoses } from './diagnoses.js';

interface ApiFlags {
  readonly api: string;
  readonly key?: string;
  readonly secret?: string;
  readonly secretFile?: string;
  readonly config?: string;
}

interface InstallFlags extends ApiFlags {
  readonly exhookUrl?: string;
  readonly exhookCa?: string;
  readonly exhookCert?: string;
  readonly exhookKey?: string;
  readonly exhookServerName?: string;
  readonly plugin?: string;
  readonly upgrade: boolean;
  readonly exclusive: boolean;
  readonly dryRun: boolean;
}

/** `tightbeam emqx install | doctor | uninstall`. `version` is this release's, and so the plugin's. */
export function emqxCommand(emqx: Command, version = VERSION): void {
  apiOptions(emqx.command('install'))
    .description(
      'let EMQX ask Tightbeam: hooks, plugin, authorization settings; tells what is left to do by hand, and exits with ' +
        '1 until nothing is left',
    )
    .addOption(
      new Option(
        '--exhook-url <url>',
        "where EMQX's nodes reach the hook provider: grpc://HOST:PORT, or grpcs:// with TLS (default: as registered, else port 9000 of EMQX's " +
          'own machine)',
      )
        .env('TIGHTBEAM_EMQX_EXHOOK_URL')
        .argParser(parsed(exHookUrl)),
    )
    .option('--exhook-ca <file>', "authorities by which EMQX checks the service's certificate (PEM)")
    .option('--exhook-cert <file>', 'certificate that EMQX shows to the service (PEM)')
    .option('--exhook-key <file>', 'its private key (PEM)')
    .option('--exhook-server-name <name>', "the name in the service's certificate, where HOST is another or an address")
    .option('--plugin <file>', 'package to upload: tightbeam-VERSION.tar.gz')
    .option('--upgrade', 'replace an installed plugin of another version', false)
    .option('--exclusive', 'switch off all other authorization sources and ACL rules (uninstall restores them)', false)
    .option('--dry-run', 'show the changes and make none', false)
    .action((flags: InstallFlags) => reported(() => install(flags, version)));

  apiOptions(emqx.command('doctor'))
    .description('check EMQX end to end, and say what is wrong and how to mend it; exit code 1 where something fails')
    .option('--json', 'one JSON array of findings', false)
    .action((flags: ApiFlags & { json: boolean }) => reported(() => doctor(flags, version)));

  apiOptions(emqx.command('uninstall'))
    .description('undo what install has done, and nothing else')
    .option('--dry-run', 'show the changes and make none', false)
    .action((flags: ApiFlags & { dryRun: boolean }) => reported(() => uninstall(flags)));
}

function apiOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--api <url>', "EMQX's management API")
        .env('TIGHTBEAM_EMQX_API_URL')
        .default('http://127.0.0.1:18083'),
    )
    .addOption(new Option('--key <key>', 'API key').env('TIGHTBEAM_EMQX_API_KEY'))
    .addOption(
      new Option(
        '--secret <secret>',
        'its secret; better by environment or file (env: TIGHTBEAM_EMQX_API_SECRET)',
      ).conflicts('secretFile'),
    )
    .option('--secret-file <file>', 'a file that holds it (env: TIGHTBEAM_EMQX_API_SECRET_FILE)')
    .option('-c, --config <file>', "the service's configuration, for its user on the broker");
}

async function install(flags: InstallFlags, version: string): Promise<void> {
  const username = serviceUser(flags.config);
  const given = flags.plugin === undefined ? undefined : readPackage(flags.plugin);
  const exHookTls = readExHookTls(flags);
  const api = connect(flags);
  await whenStarted(api, { say: print });
  const plan = planInstall(await readState(api), {
    ...(username !== undefined && { username }),
    exclusive: flags.exclusive,
    ...(flags.exhookUrl !== undefined && { exHookUrl: flags.exhookUrl }),
    exHookTls,
    plugin: { version: given?.version ?? version, upgrade: flags.upgrade, ...(given && { package: given }) },
  });
  await perform(api, plan, flags.dryRun, 'Tightbeam is installed.');
}

/**
 * The service's user where it is told, by its configuration or its environment; the user that is only the default of
 * the configuration must not take the place of the one in the ACL.
 */
function serviceUser(config: string | undefined): string | undefined {
  const { username } = loadConfig(config).broker;
  return config === undefined && (process.env['TIGHTBEAM_BROKER_USERNAME'] ?? '') === '' ? undefined : username;
}

async function uninstall(flags: ApiFlags & { dryRun: boolean }): Promise<void> {
  const { urls, username, password, tls } = loadConfig(flags.config).broker;
  const api = connect(flags);
  const knock = () => Promise.all(urls.map((url) => probe({ url, username, password, tls }, 1_000)));
  await perform(api, planUninstall(await readState(api), knock), flags.dryRun, 'Tightbeam is not installed.');
}

async function doctor(flags: ApiFlags & { json: boolean }, version: string): Promise<void> {
  const { broker, limits, authorization: modes } = loadConfig(flags.config);
  const { urls, username, password, tls } = broker;
  const user = { urls, username, password, tls };
  const diagnoses = await diagnose(connect(flags), { version, broker: user, limits, modes });
  printDiagnoses(diagnoses, flags.json);
}

async function perform(api: EmqxApi, plan: Plan, dryRun: boolean, nothing: string): Promise<void> {
  if (plan.steps.length === 0) print(`${nothing} There is nothing to change.`);
  if (dryRun) {
    for (const { what, detail = [] } of plan.steps) print([`would ${what}`, ...detail].join('\n    '));
    tell(plan.left, plan.notes);
    return;
  }
  const details = new Map(plan.steps.map(({ what, detail = [] }) => [what, detail]));
  const stop = new AbortController();
  const onInterrupt = () => {
    stop.abort();
  };
  process.once('SIGINT', onInterrupt);
  try {
    const outcome = await carryOut(
      api,
      plan,
      (what) => {
        print([what, ...(details.get(what) ?? [])].join('\n    '));
      },
      {
        say: (line) => {
          print(`    ${line}`);
        },
        signal: stop.signal,
      },
    );
    tell(outcome.left, plan.notes);
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** A script must not take an installation for finished that delivers nothing yet. */
function tell(left: readonly string[], notes: readonly string[] = []): void {
  const listed = (items: readonly string[]) => items.map((item) => `\n  - ${item}`).join('');
  if (notes.length > 0) print(`Left as it is:${listed(notes)}`);
  if (left.length === 0) return;
  print(`Left to you:${listed(left)}`);
  process.exitCode = 1;
}

function connect({ api, key, ...flags }: ApiFlags): EmqxApi {
  const { TIGHTBEAM_EMQX_API_SECRET: secret, TIGHTBEAM_EMQX_API_SECRET_FILE: secretFile } = process.env;
  // Not by commander's env(): it fills each flag by itself, so a secret of the environment would beat --secret-file.
  const password = secretOf(flags) ?? secretOf({ secret, secretFile });
  if (key === undefined || password === undefined) {
    throw new InstallError(
      'an API key is needed: --key (TIGHTBEAM_EMQX_API_KEY) and --secret-file (TIGHTBEAM_EMQX_API_SECRET_FILE) or ' +
        'TIGHTBEAM_EMQX_API_SECRET. Make one in the dashboard of EMQX: System, API Key.',
    );
  }
  return new EmqxApi(new EmqxRest({ url: api, key, secret: password }));
}

function secretOf({ secret, secretFile }: { secret?: string | undefined; secretFile?: string | undefined }) {
  return secret ?? (secretFile === undefined ? undefined : readFileSync(secretFile, 'utf8').trim());
}

function readExHookTls({ exhookCa, exhookCert, exhookKey, exhookServerName: serverName }: InstallFlags): ExHookTls {
  if ((exhookCert === undefined) !== (exhookKey === undefined)) {
    throw new InstallError('--exhook-cert and --exhook-key belong together');
  }
  return {
    ...(exhookCa !== undefined && { ca: readCertificates({ name: '--exhook-ca', file: exhookCa }) }),
    ...(exhookCert !== undefined &&
      exhookKey !== undefined && {
        client: readIdentity({
          cert: { name: '--exhook-cert', file: exhookCert },
          key: { name: '--exhook-key', file: exhookKey },
        }),
      }),
    ...(serverName !== undefined && { serverName }),
  };
}

function readPackage(file: string): PluginPackage {
  return { version: packageVersion(basename(file)), content: new Uint8Array(readFileSync(file)) };
}

function parsed<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
}

/** Errors that tell the user what to do are told in one line; others are defects and keep their stack. */
async function reported(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const known =
      error instanceof EmqxApiError ||
      error instanceof InstallError ||
      error instanceof TlsFilesError ||
      isFileError(error);
    if (!known && (error as Error).name !== 'ConfigError') throw error;
    process.stderr.write(`error: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

function isFileError(error: unknown): boolean {
  // A folder can be opened, and not read.
  return ['open', 'read'].includes((error as NodeJS.ErrnoException).syscall ?? '');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
