import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseConfidential } from '../confidential-yaml.js';
import { nearest } from '../nearest.js';
import type { AccessKeys } from './access-keys.js';
import { secretEquals } from './secret-equals.js';

const NO_SECRETS = 'must be a text, or a list of texts that are all valid; none of them empty';
const secret = z.string().min(1, NO_SECRETS);
const secrets = z.union([secret, z.array(secret).min(1, NO_SECRETS)], { error: NO_SECRETS });
const entries = { error: 'must be a group of names with their secrets' };

/** The format of the credentials file. The descriptions make policies/schema/credentials.schema.json. */
export const CredentialsSchema = z.strictObject(
  {
    $schema: z.string().optional().describe('for editors: policies/schema/credentials.schema.json'),
    accessKeys: z
      .record(z.string().regex(/^\w{16,128}$/, 'an access key ID has 16 to 128 letters and digits'), secrets, entries)
      .default({})
      .describe('of callers of the HTTP API: the secret of each access key ID; two of them while it is rotated'),
    mqttUsers: z
      .record(z.string().min(1, 'a username is not empty'), secrets, entries)
      .default({})
      .describe('of clients of the broker: the password of each username; two of them while it is rotated'),
  },
  { error: (issue) => (issue.code === 'invalid_type' ? 'must be a group of accessKeys and mqttUsers' : undefined) },
);
type Secrets = ReadonlyMap<string, readonly string[]>;

/** Every mistake of a credentials file, none of which shows a secret. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
}

/**
 * Secrets, apart from policies and principals: access keys of HTTP callers and passwords of MQTT users, from one file
 * (YAML or JSON). Each may have several secrets, all valid together, so that they can be rotated: add the new one,
 * move the callers, remove the old one.
 */
export class Credentials implements AccessKeys {
  private constructor(
    private readonly accessKeys: Secrets,
    private readonly mqttUsers: Secrets,
  ) {}

  /**
   * @throws CredentialsError that names the file, the entry and the rule; nothing that stands in the file is
   * quoted but names of entries.
   */
  static fromFile(file: string): Credentials {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      throw new CredentialsError(`${file}: ${(error as Error).message}`);
    }
    const { mistakes, parsed, placeOf } = parseConfidential(text, file);
    if (mistakes.length > 0) throw new CredentialsError(`${file}: ${mistakes.join('; ')}`);
    return Credentials.parse(parsed, placeOf);
  }

  /**
   * @param placeOf where the entry of a path stands, for the message
   * @throws CredentialsError that names the entry and the rule.
   */
  static parse(value: unknown, placeOf?: (path: readonly PropertyKey[]) => string): Credentials {
    const result = CredentialsSchema.safeParse(value);
    if (!result.success) {
      const mistakes = result.error.issues.flatMap((issue) => mistakesOf(issue));
      throw new CredentialsError(
        mistakes
          .map(({ path, rule }) => `${placeOf === undefined ? '' : `${placeOf(path)}: `}${nameOf(path)}: ${rule}`)
          .join('; '),
      );
    }
    return new Credentials(toMap(result.data.accessKeys), toMap(result.data.mqttUsers));
  }

  /** How many there are of each kind. */
  get sizes(): { readonly accessKeys: number; readonly mqttUsers: number } {
    return { accessKeys: this.accessKeys.size, mqttUsers: this.mqttUsers.size };
  }

  /** There are no temporary credentials here, so a session token makes every key unknown. */
  secretsOf(accessKeyId: string, sessionToken?: string): readonly string[] {
    return sessionToken === undefined ? (this.accessKeys.get(accessKeyId) ?? []) : [];
  }

  hasUser(username: string): boolean {
    return this.mqttUsers.has(username);
  }

  /** Compares in constant time with every password of the user. */
  isPassword(username: string, password: Uint8Array): boolean {
    return (this.mqttUsers.get(username) ?? []).map((known) => secretEquals(known, password)).includes(true);
  }
}

function toMap(entries: Record<string, string | string[]>): Secrets {
  return new Map(Object.entries(entries).map(([name, value]) => [name, typeof value === 'string' ? [value] : value]));
}

function nameOf(path: readonly PropertyKey[]): string {
  return path.join('.') || 'credentials';
}

/** Of a key that breaks a rule, the parser says only that it does; the rule stands in the issues within. */
function mistakesOf(issue: z.core.$ZodIssue): { readonly path: readonly PropertyKey[]; readonly rule: string }[] {
  const { path } = issue;
  if (issue.code === 'invalid_key') return [{ path, rule: issue.issues.map(({ message }) => message).join(', ') }];
  if (issue.code !== 'unrecognized_keys') return [{ path, rule: issue.message }];
  return issue.keys.map((key) => {
    const near = nearest(key, Object.keys(CredentialsSchema.shape));
    const rule = near === undefined ? 'there are accessKeys and mqttUsers' : `did you mean ${near}?`;
    return { path: [...path, key], rule: `there is no such entry; ${rule}` };
  });
}
