import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseConfidential } from '../confidential-yaml.js';
import type { AccessKeys } from './access-keys.js';
import { secretEquals } from './secret-equals.js';

const secrets = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);

const CredentialsSchema = z.strictObject({
  $schema: z.string().optional(),
  accessKeys: z
    .record(z.string().regex(/^\w{16,128}$/, 'an access key ID has 16 to 128 letters and digits'), secrets)
    .default({}),
  mqttUsers: z.record(z.string().min(1), secrets).default({}),
});
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
    try {
      const { mistakes, parsed } = parseConfidential(readFileSync(file, 'utf8'));
      if (mistakes.length > 0) throw new CredentialsError(mistakes.join('; '));
      return Credentials.parse(parsed);
    } catch (error) {
      throw new CredentialsError(`${file}: ${(error as Error).message}`);
    }
  }

  /** @throws CredentialsError that names the entry and the rule. */
  static parse(value: unknown): Credentials {
    const result = CredentialsSchema.safeParse(value);
    if (!result.success) {
      throw new CredentialsError(
        result.error.issues.map((issue) => `${issue.path.join('.') || 'credentials'}: ${ruleOf(issue)}`).join('; '),
      );
    }
    return new Credentials(toMap(result.data.accessKeys), toMap(result.data.mqttUsers));
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

/** Of a key that breaks a rule, the parser says only that it does; the rule stands in the issues within. */
function ruleOf(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_key' ? issue.issues.map(({ message }) => message).join(', ') : issue.message;
}
