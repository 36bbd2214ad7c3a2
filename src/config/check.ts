import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { Credentials } from '../identity/credentials.js';
import { loadPolicySet } from '../policy/policy-set.js';
import { formatProblem, PolicyLoadError } from '../policy/reading/problems.js';
import { loadTls, readCertificates, readIdentity } from '../tls/files.js';
import type { Config } from './schema.js';

/** What is wrong, what is doubtful, and what is as it should be; a line each. */
export interface ConfigCheck {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  readonly found: readonly string[];
}

/** Reads every file that the settings name, as the service does at its start. Opens no port and calls nobody. */
export async function checkConfig(config: Config): Promise<ConfigCheck> {
  const check = { errors: [] as string[], warnings: [] as string[], found: ['the settings'] };
  const attempt = (what: string, read: () => void): void => {
    try {
      read();
      check.found.push(what);
    } catch (error) {
      check.errors.push(...(error as Error).message.split('\n'));
    }
  };

  attempt(`credentials (${config.credentials})`, () => Credentials.fromFile(config.credentials));
  await checkPolicies(config, check);
  const { http, exhook, broker, door, jwt } = config;
  for (const [section, files] of [
    ['http.tls', http.tls],
    ['exhook.tls', exhook.tls],
    ['console.tls', config.console?.tls],
    ['door.tls', broker.kind === 'door' ? door.tls : undefined],
  ] as const) {
    if (files === undefined) continue;
    const { cert, key, clientCa } = files;
    const clientCrl = 'clientCrl' in files ? files.clientCrl : undefined;
    attempt(section, () => {
      const material = loadTls({ cert, key, clientCa, clientCrl }, section);
      check.warnings.push(...expiring(`${section}.cert (${cert})`, material.cert));
    });
  }
  const named = (name: 'ca' | 'cert' | 'key') => ({ name: `broker.tls.${name}`, file: broker.tls[name] ?? '' });
  if (broker.tls.ca !== undefined) attempt('broker.tls.ca', () => readCertificates(named('ca')));
  if (broker.tls.cert !== undefined || broker.tls.key !== undefined) {
    attempt('broker.tls', () => readIdentity({ cert: named('cert'), key: named('key') }));
  }
  if (jwt?.jwksFile !== undefined) {
    const { jwksFile } = jwt;
    attempt(`jwt.jwksFile (${jwksFile})`, () => {
      JSON.parse(readFileSync(jwksFile, 'utf8'));
    });
  }
  return check;
}

const DAY_MS = 86_400_000;

/** A certificate that ends within 30 days, or has ended. */
function expiring(name: string, pem: string): readonly string[] {
  const { validTo } = new X509Certificate(pem);
  const days = Math.floor((Date.parse(validTo) - Date.now()) / DAY_MS);
  if (days >= 30) return [];
  return [days < 0 ? `${name}: has ended on ${validTo}` : `${name}: ends in ${days} days, on ${validTo}`];
}

async function checkPolicies(
  { policies, aws }: Config,
  check: { readonly errors: string[]; readonly warnings: string[]; readonly found: string[] },
): Promise<void> {
  if (!existsSync(policies)) {
    check.errors.push(`policies: there is no folder ${policies}`);
    return;
  }
  try {
    const { partition, region, accountId } = aws;
    const set = await loadPolicySet(policies, { partition, region, accountId });
    check.found.push(`policies (${policies})`);
    check.warnings.push(...set.problems.map(formatProblem));
  } catch (error) {
    if (!(error instanceof PolicyLoadError)) throw error;
    for (const problem of error.problems) {
      (problem.severity === 'error' ? check.errors : check.warnings).push(formatProblem(problem));
    }
  }
}
