import { createHash } from 'node:crypto';
import { readFile } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { Identity } from '../identity/identity.js';
import { mapActions } from './actions.js';
import type { Action } from './authorizer.js';
import { arnPrefix, CompiledPolicies, type ArnScope } from './deciding/compile.js';
import { parsePolicy, type PolicyDocument } from './reading/document.js';
import { lintPolicy } from './reading/lint.js';
import { parsePrincipals } from './principals/principals-file.js';
import type { Principal, Principals } from './principals/principals.js';
import { PolicyLoadError, Reporter, type Problem } from './reading/problems.js';
import { finish, finishInSlices, type Work } from './work.js';

/** Texts of a policy folder. Names are file names; a policy's name is its file's without `.json`. */
export interface PolicyFiles {
  readonly policies: ReadonlyMap<string, string>;
  readonly principals: string;
}

/** A principal with everything that its decisions need. */
export interface CompiledPrincipal {
  readonly principal: Principal;
  readonly policies: CompiledPolicies;
}

export const PRINCIPALS_FILE = 'principals.json';

/** A folder of policies and principals, read and compiled as one. Immutable: a change makes a new one. */
export class PolicySet {
  /** What every resource of a request begins with. */
  readonly arnPrefix: string;
  private readonly arnPrefixes: Readonly<Record<Action, string>>;

  private constructor(
    /** Hash of the contents: equal for equal files. */
    readonly version: string,
    scope: ArnScope,
    readonly documents: ReadonlyMap<string, PolicyDocument>,
    readonly principals: Principals,
    /** Warnings only: a set with errors does not come to be. */
    readonly problems: readonly Problem[],
    /** By the place of the principal among all. */
    private readonly compiled: readonly CompiledPrincipal[],
  ) {
    this.arnPrefix = arnPrefix(scope);
    this.arnPrefixes = mapActions((_, type) => `${this.arnPrefix}${type}`);
  }

  static *of(
    version: string,
    scope: ArnScope,
    documents: ReadonlyMap<string, PolicyDocument>,
    principals: Principals,
    problems: readonly Problem[],
  ): Work<PolicySet> {
    const shared = new Map<string, CompiledPolicies>();
    const compiled: CompiledPrincipal[] = [];
    for (const principal of principals.all) {
      const attachment = principal.policies.join('\n');
      const attached = principal.policies.map((name) => documents.get(name)).filter((found) => found !== undefined);
      const policies = shared.get(attachment) ?? new CompiledPolicies(attached, arnPrefix(scope));
      shared.set(attachment, policies);
      compiled.push({ principal, policies });
      yield;
    }
    return new PolicySet(version, scope, documents, principals, problems, compiled);
  }

  /** The ARN of the resource of the action's own kind. */
  arnOf(action: Action, name: string): string {
    return this.arnPrefixes[action] + name;
  }

  /** The principal of that name. */
  principal(name: string): CompiledPrincipal | undefined {
    return this.compiled.find(({ principal }) => principal.name === name);
  }

  /** The same principal with its policies. @param principal one of this set's */
  compiledFor(principal: Principal): CompiledPrincipal | undefined {
    return this.compiled[principal.index];
  }

  /** Who stands for the identity; nobody where no principal matches. */
  resolve(identity: Identity): CompiledPrincipal | undefined {
    const principal = this.principals.resolve(identity);
    return principal && this.compiledFor(principal);
  }
}

/** Reads into one buffer; the variant of `fs/promises` joins many of them at the end, for which everything waits. */
const readBytes = promisify(readFile);

/** Reads every file of the folder; sub-folders and files that do not end in `.json` are none of it. */
export async function readPolicyFolder(folder: string): Promise<PolicyFiles> {
  const names = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => (entry.isFile() || entry.isSymbolicLink()) && entry.name.endsWith('.json'))
    .map(({ name }) => name)
    .sort();
  const texts = await Promise.all(
    names.map(async (name) => [name, (await readBytes(join(folder, name))).toString()] as const),
  );
  const policies = new Map(texts);
  const principals = policies.get(PRINCIPALS_FILE);
  if (principals === undefined) {
    throw new PolicyLoadError([
      { severity: 'error', file: PRINCIPALS_FILE, path: '$', message: `expected this file in ${folder}` },
    ]);
  }
  policies.delete(PRINCIPALS_FILE);
  return { policies, principals };
}

/**
 * Compiles the files of a folder, at once.
 * @throws PolicyLoadError with every problem of every file, where one of them is an error
 */
export function buildPolicySet(files: PolicyFiles, scope: ArnScope): PolicySet {
  return finish(compilePolicySet(files, scope));
}

/**
 * Loads a policy folder: `principals.json` and one file a policy. Whatever else waits has its turn meanwhile.
 * @throws PolicyLoadError where the folder's contents cannot be used; errors of the file system where it cannot be read
 */
export async function loadPolicySet(folder: string, scope: ArnScope): Promise<PolicySet> {
  return finishInSlices(compilePolicySet(await readPolicyFolder(folder), scope));
}

function* compilePolicySet(files: PolicyFiles, scope: ArnScope): Work<PolicySet> {
  const problems: Problem[] = [];
  const documents = new Map<string, PolicyDocument>();
  const names = new Set<string>();
  for (const [file, text] of files.policies) {
    const name = basename(file, '.json');
    names.add(name);
    const report = new Reporter(problems, file);
    const document = parsePolicy(name, text, report);
    if (document !== undefined) {
      documents.set(name, document);
      lintPolicy(document, arnPrefix(scope), report);
    }
    yield;
  }
  const principals = yield* parsePrincipals(files.principals, names, new Reporter(problems, PRINCIPALS_FILE));
  const attached = new Set<string>();
  for (const { policies } of principals.all) {
    for (const name of policies) attached.add(name);
    yield;
  }
  for (const name of names) {
    if (!attached.has(name)) new Reporter(problems, `${name}.json`).warn('no principal has this policy');
  }
  if (problems.some(({ severity }) => severity === 'error')) throw new PolicyLoadError(problems);
  return yield* PolicySet.of(yield* versionOf(files), scope, documents, principals, problems);
}

/** Characters hashed before the work may pause. */
const HASHED = 2 ** 18;

function* versionOf({ policies, principals }: PolicyFiles): Work<string> {
  const hash = createHash('sha256');
  for (const file of policies) {
    hash.update(JSON.stringify(file));
    yield;
  }
  for (let at = 0; at < principals.length; at += HASHED) {
    // In UTF-8 a character of two code units that is cut through would be lost.
    hash.update(principals.slice(at, at + HASHED), 'utf16le');
    yield;
  }
  return hash.digest('hex').slice(0, 12);
}
