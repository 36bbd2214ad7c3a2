import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Identity } from '../identity/identity.js';
import { CompiledPolicies, type ArnScope } from './compile.js';
import type { Thing } from './context.js';
import { parsePolicy, type PolicyDocument } from './document.js';
import { parsePrincipals, thingOf, type Principals } from './principals.js';
import { PolicyLoadError, Reporter, type Problem } from './problems.js';

/** Texts of a policy folder. Names are file names; a policy's name is its file's without `.json`. */
export interface PolicyFiles {
  readonly policies: ReadonlyMap<string, string>;
  readonly principals: string;
}

/** The principal that stands for an identity, with everything that its decisions need. */
export interface ResolvedPrincipal {
  readonly name: string;
  readonly thing: Thing | undefined;
  readonly policies: CompiledPolicies;
}

export const PRINCIPALS_FILE = 'principals.json';

/** A folder of policies and principals, read and compiled as one. Immutable: a change makes a new one. */
export class PolicySet {
  private readonly compiled = new Map<string, CompiledPolicies>();

  constructor(
    /** Hash of the contents: equal for equal files. */
    readonly version: string,
    readonly scope: ArnScope,
    readonly documents: ReadonlyMap<string, PolicyDocument>,
    readonly principals: Principals,
    /** Warnings only: a set with errors does not come to be. */
    readonly problems: readonly Problem[],
  ) {
    for (const { policies } of principals.all) {
      const key = attachment(policies);
      if (this.compiled.has(key)) continue;
      const attached = policies.map((name) => documents.get(name)).filter((document) => document !== undefined);
      this.compiled.set(key, new CompiledPolicies(attached, scope));
    }
  }

  /** Who stands for the identity; nobody where no principal matches. */
  resolve(identity: Identity): ResolvedPrincipal | undefined {
    const principal = this.principals.resolve(identity);
    const policies = principal && this.compiled.get(attachment(principal.policies));
    return principal && policies && { name: principal.name, thing: thingOf(principal, identity), policies };
  }
}

/** Principals with the same policies in the same order share what is compiled. */
function attachment(policies: readonly string[]): string {
  return policies.join('\n');
}

/** Reads every file of the folder; sub-folders and files that do not end in `.json` are none of it. */
export async function readPolicyFolder(folder: string): Promise<PolicyFiles> {
  const names = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => (entry.isFile() || entry.isSymbolicLink()) && entry.name.endsWith('.json'))
    .map(({ name }) => name)
    .sort();
  const texts = await Promise.all(
    names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const),
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
 * Compiles the files of a folder.
 * @throws PolicyLoadError with every problem of every file, where one of them is an error
 */
export function buildPolicySet(files: PolicyFiles, scope: ArnScope): PolicySet {
  const problems: Problem[] = [];
  const documents = new Map<string, PolicyDocument>();
  const names = new Set<string>();
  const hash = createHash('sha256');
  for (const [file, text] of files.policies) {
    const name = basename(file, '.json');
    names.add(name);
    const document = parsePolicy(name, text, new Reporter(problems, file));
    if (document !== undefined) documents.set(name, document);
    hash.update(JSON.stringify([file, text]));
  }
  const principals = parsePrincipals(files.principals, names, new Reporter(problems, PRINCIPALS_FILE));
  hash.update(files.principals);
  if (problems.some(({ severity }) => severity === 'error')) throw new PolicyLoadError(problems);
  return new PolicySet(hash.digest('hex').slice(0, 12), scope, documents, principals, problems);
}

/**
 * Loads a policy folder: `principals.json` and one file a policy.
 * @throws PolicyLoadError where the folder's contents cannot be used; errors of the file system where it cannot be read
 */
export async function loadPolicySet(folder: string, scope: ArnScope): Promise<PolicySet> {
  return buildPolicySet(await readPolicyFolder(folder), scope);
}
