/** A policy folder as it is in the file system, or as it was in a revision of git. */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ArnScope } from '../../policy/deciding/compile.js';
import { buildPolicySet, loadPolicySet, PRINCIPALS_FILE, type PolicySet } from '../../policy/policy-set.js';
import { PolicyLoadError, Reporter, type Problem } from '../../policy/reading/problems.js';

const run = promisify(execFile);

/** More than any policy folder has. */
const MAX_OUTPUT = 512 * 1024 * 1024;

/**
 * Reads a folder, or the folder of the policies in a revision, whichever the text names. A folder counts first.
 * @param folder where the policies are now
 * @throws PolicyLoadError where it is neither, or its contents cannot be used
 */
export async function loadRevision(text: string, folder: string, scope: ArnScope): Promise<PolicySet> {
  if (await isFolder(text)) return loadPolicySet(text, scope);
  const git = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await run('git', ['-C', (await isFolder(folder)) ? folder : dirname(resolve(folder)), ...args], {
      maxBuffer: MAX_OUTPUT,
    });
    return stdout;
  };
  let names: readonly string[];
  let revision: string;
  try {
    // What begins with a hyphen is an option, and no revision.
    revision = (await git('rev-parse', '--verify', '--quiet', '--end-of-options', `${text}^{commit}`)).trim();
    names = (await git('ls-tree', '--name-only', '-z', revision, './')).split('\0');
  } catch (error) {
    throw failure(text, `is neither a folder nor a revision of git: ${(error as Error).message.split('\n')[0] ?? ''}`);
  }
  const files = new Map<string, string>();
  for (const name of names.filter((one) => one.endsWith('.json') && !one.includes('/'))) {
    files.set(name, await git('show', `${revision}:./${name}`));
  }
  const principals = files.get(PRINCIPALS_FILE);
  if (principals === undefined) throw failure(text, `has no ${PRINCIPALS_FILE} in ${folder}`);
  files.delete(PRINCIPALS_FILE);
  return buildPolicySet({ policies: files, principals }, scope);
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

function failure(file: string, message: string): PolicyLoadError {
  const problems: Problem[] = [];
  new Reporter(problems, file).error(message);
  return new PolicyLoadError(problems);
}
