import { readFileSync } from 'node:fs';
import { type Confidential, parseConfidential } from '../confidential-yaml.js';
import { nearest } from '../nearest.js';
import { ENVIRONMENT, type EnvironmentVariable } from './environment.js';
import { type Mistake, mistakesOf, valueAt } from './mistakes.js';
import { type Config, ConfigSchema } from './schema.js';

/** Every mistake of a configuration, each naming the setting, where it came from, and the rule. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly string[]) {
    super(`The configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

type Settings = Record<string, unknown>;

/** A configuration, and where each of its settings comes from. */
export interface LoadedConfig {
  readonly config: Config;
  /** The variable, or file, line and column; undefined for a default. */
  readonly originOf: (path: readonly PropertyKey[]) => string | undefined;
}

/** {@link readConfig}, for who needs the settings alone. */
export function loadConfig(
  file: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
  defaults: Settings = {},
): Config {
  return readConfig(file, env, defaults).config;
}

/**
 * Loads the configuration: defaults, then the file, then environment variables; each overrides what is before it.
 *
 * @param file YAML or JSON; none where absent.
 * @param defaults settings of the command itself, below the file.
 * @returns the configuration, deeply frozen.
 * @throws ConfigError with every problem found.
 */
export function readConfig(
  file: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
  defaults: Settings = {},
): LoadedConfig {
  const problems: string[] = [];
  const origins = new Map<string, string>();
  const { settings: fromFile, placeOf } = file === undefined ? NO_FILE : readSettings(file, problems);
  const settings = merge(structuredClone(defaults), fromFile);
  for (const variable of ENVIRONMENT) {
    const value = env[variable.name];
    if (value === undefined || value === '') continue;
    if (variable.name.endsWith('_PORT') && SERVICE_LINK.test(value)) {
      problems.push(
        `${variable.name}: holds an address, as Kubernetes injects it for a Service of that name; ` +
          'set enableServiceLinks: false in the pod, or name the Service otherwise',
      );
      continue;
    }
    try {
      assign(settings, variable.setting, interpret(variable, value));
      origins.set(variable.setting.join('.'), variable.name);
    } catch (error) {
      problems.push(`${variable.name}: ${(error as Error).message}`);
    }
  }
  for (const name of unknownVariables(env)) {
    const near = nearest(name, VARIABLE_NAMES);
    problems.push(`${name}: there is no such setting${near === undefined ? '' : `; did you mean ${near}?`}`);
  }

  const result = ConfigSchema.safeParse(settings);
  if (!result.success) {
    const placed = mistakesOf(result.error.issues, settings).map((mistake) => describe(mistake, origins, placeOf));
    problems.push(...new Set(placed));
  }
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  const originOf: LoadedConfig['originOf'] = (path) => {
    const variable = origins.get(path.join('.'));
    if (variable !== undefined) return variable;
    return valueAt(fromFile, path) === undefined ? undefined : placeOf(path);
  };
  return { config: deepFreeze(result.data), originOf };
}

interface SettingsFile {
  readonly settings: Settings;
  /** File, line and column of a setting; undefined where no file has it. */
  readonly placeOf: (path: readonly PropertyKey[]) => string | undefined;
}

const NO_FILE: SettingsFile = { settings: {}, placeOf: () => undefined };

function readSettings(file: string, problems: string[]): SettingsFile {
  let read: Confidential;
  try {
    read = parseConfidential(readFileSync(file, 'utf8'), file);
  } catch (error) {
    problems.push(`${file}: ${(error as Error).message}`);
    return NO_FILE;
  }
  const { mistakes, parsed, placeOf } = read;
  problems.push(...mistakes.map((mistake) => `${file}: ${mistake}`));
  if (mistakes.length > 0 || parsed === null || parsed === undefined) return { settings: {}, placeOf };
  if (isSettings(parsed)) return { settings: parsed, placeOf };
  problems.push(`${file}: must hold an object of settings`);
  return NO_FILE;
}

function interpret(variable: EnvironmentVariable, value: string): unknown {
  switch (variable.kind) {
    case 'list':
      return value.split(',').map((item) => item.trim());
    case 'file':
      return readFileSync(value, 'utf8').trim();
    case undefined:
      return value;
  }
}

const VARIABLE_NAMES = ENVIRONMENT.map(({ name }) => name);

/** Variables the integration suite and the commands read themselves. */
const OTHER_VARIABLES = /^TIGHTBEAM_(EMQX_|URL$|TAIL_URL$|TEST_)/;

/**
 * Variables that Kubernetes injects into every pod for a Service named `tightbeam` or `tightbeam-...`, as Docker's
 * links once did. `..._PORT` looks like a misspelt setting, and is told from one by its value.
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
const INJECTED = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;
const SERVICE_LINK = /^(tcp|udp|sctp):\/\//i;

function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set<string>(VARIABLE_NAMES);
  const isInjected = (name: string): boolean =>
    INJECTED.test(name) || (name.endsWith('_PORT') && SERVICE_LINK.test(env[name] ?? ''));
  return Object.keys(env).filter(
    (name) => name.startsWith('TIGHTBEAM_') && !known.has(name) && !OTHER_VARIABLES.test(name) && !isInjected(name),
  );
}

function describe(
  { path, rule }: Mistake,
  origins: ReadonlyMap<string, string>,
  placeOf: SettingsFile['placeOf'],
): string {
  const setting = path.map(String).join('.');
  const origin = origins.get(setting) ?? placeOf(path) ?? 'default';
  return `${setting === '' ? 'configuration' : setting} (${origin}): ${rule}`;
}

function merge(base: Settings, over: Settings): Settings {
  for (const [key, value] of Object.entries(over)) {
    const below = base[key];
    base[key] = isSettings(below) && isSettings(value) ? merge(below, value) : value;
  }
  return base;
}

function assign(settings: Settings, path: readonly string[], value: unknown): void {
  const parents = path.slice(0, -1);
  let at = settings;
  for (const key of parents) {
    const next = at[key] ?? {};
    if (!isSettings(next)) throw new Error(`${key} in the file is not an object`);
    at[key] = next;
    at = next;
  }
  at[path.at(-1) as string] = value;
}

function isSettings(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
