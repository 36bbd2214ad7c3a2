import { type Command, InvalidArgumentError, Option } from 'commander';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { PACKAGE_ROOT } from '../version.js';
import { defaultUrl, nextSteps } from './init/broker.js';
import { type Answers, filesOf, freshSecrets } from './init/project.js';

type Options = { -readonly [Name in keyof Answers]?: Answers[Name] } & { readonly yes?: true };

/** What is asked in a terminal, with what a bare Return means. */
const QUESTIONS: readonly {
  readonly name: keyof Answers;
  readonly text: string;
  readonly otherwise: (given: Options) => string;
}[] = [
  { name: 'broker', text: 'Broker: embedded (to try it), emqx or mosquitto', otherwise: () => 'embedded' },
  { name: 'brokerUrl', text: 'Its address', otherwise: ({ broker = 'embedded' }) => defaultUrl(broker) },
  { name: 'region', text: 'AWS region in the ARNs of policies', otherwise: () => 'us-east-1' },
  { name: 'accountId', text: 'Account in the ARNs, 12 digits', otherwise: () => '000000000000' },
  { name: 'device', text: 'Client ID of the first device', otherwise: () => 'lock-17' },
  { name: 'backend', text: 'Name of the first backend', otherwise: () => 'backend' },
];

const RULES: Readonly<Record<keyof Answers, readonly [RegExp, string]>> = {
  broker: [/^(embedded|emqx|mosquitto)$/, 'must be embedded, emqx or mosquitto'],
  brokerUrl: [/^mqtts?:\/\/[^/'\s]+$/, 'must be mqtt://HOST:PORT or mqtts://HOST:PORT'],
  region: [/^[a-z0-9-]+$/, 'must be the name of a region, for instance eu-central-1'],
  accountId: [/^[0-9]{12}$/, 'must be 12 digits'],
  device: [/^[\w.-]{1,128}$/, 'must be 1 to 128 letters, digits, dots, dashes or underscores'],
  backend: [/^[\w.-]{1,128}$/, 'must be 1 to 128 letters, digits, dots, dashes or underscores'],
};

/** `tightbeam init`: a folder with everything that a first service needs. */
export function initCommand(command: Command): void {
  command
    .argument('[folder]', 'where the files go; made where it is not there', '.')
    .addOption(new Option('--broker <kind>', 'embedded, emqx or mosquitto').argParser(checked('broker')))
    .addOption(new Option('--broker-url <url>', 'where it is: mqtt://HOST:PORT').argParser(checked('brokerUrl')))
    .addOption(new Option('--region <name>', 'AWS region in the ARNs of policies').argParser(checked('region')))
    .addOption(new Option('--account-id <digits>', 'account in the ARNs').argParser(checked('accountId')))
    .addOption(new Option('--device <id>', 'client ID of the first device').argParser(checked('device')))
    .addOption(new Option('--backend <name>', 'name of the first backend').argParser(checked('backend')))
    .option('-y, --yes', 'ask nothing; what is not given gets its default')
    .addHelpText(
      'after',
      `
Writes settings, credentials with fresh secrets, policies with their tests, and JSON Schemas for editors; asks for what is
not given where it runs in a terminal. Files that are there stay: then nothing is written, and the exit code is 1.`,
    )
    .action(async (folder: string, options: Options) => {
      const answers = await ask(options);
      const files = filesOf(answers, freshSecrets());
      const there = [...files.map(({ path }) => path), 'policies/schema'].filter((path) =>
        existsSync(join(folder, path)),
      );
      if (there.length > 0) {
        process.stderr.write(
          `tightbeam: nothing was written, for these are there already in ${folder}: ${there.join(', ')}\n`,
        );
        process.exitCode = 1;
        return;
      }
      for (const { path, text, secret } of files) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text, { flag: 'wx', mode: secret === true ? 0o600 : 0o644 });
      }
      cpSync(join(PACKAGE_ROOT, 'policies', 'schema'), join(folder, 'policies', 'schema'), { recursive: true });
      const written = files.map(
        ({ path, secret }) => `  ${path}${secret === true ? '  (secret: for your eyes only)' : ''}\n`,
      );
      process.stdout.write(`Written in ${folder}:\n${written.join('')}  policies/schema/\n\n`);
      process.stdout.write(nextSteps(answers, relative('.', folder) || '.'));
    });
}

/** The answers, each from its option, else from the terminal, else its default. */
async function ask(options: Options): Promise<Answers> {
  const given: Record<string, string | undefined> = { ...options, yes: undefined };
  const terminal = options.yes !== true && process.stdin.isTTY && process.stdout.isTTY;
  const lines = terminal ? createInterface({ input: process.stdin, output: process.stdout }) : undefined;
  for (const { name, text, otherwise } of QUESTIONS) {
    if (given[name] !== undefined) continue;
    const fallback = otherwise(given);
    if (name === 'brokerUrl' && given['broker'] === 'embedded') given[name] = fallback;
    while (lines !== undefined && given[name] === undefined) {
      const answer = (await lines.question(`${text} [${fallback}]: `)).trim() || fallback;
      const fault = faultOf(name, answer);
      if (fault === undefined) given[name] = answer;
      else process.stdout.write(`  It ${fault}.\n`);
    }
    given[name] ??= fallback;
  }
  lines?.close();
  return given as unknown as Answers;
}

function faultOf(name: keyof Answers, answer: string): string | undefined {
  const [form, rule] = RULES[name];
  return form.test(answer) ? undefined : rule;
}

function checked(name: keyof Answers): (value: string) => string {
  return (value) => {
    const fault = faultOf(name, value);
    if (fault !== undefined) throw new InvalidArgumentError(`It ${fault}.`);
    return value;
  };
}
