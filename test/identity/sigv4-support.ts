import { readQuery, splitTarget } from '../../src/http/wire.js';
import type { CallerRequest, CallerVerdict } from '../../src/identity/caller.js';
import { SigV4Authenticator, type SigV4Options } from '../../src/identity/sigv4/authenticator.js';

export const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
export const SIGNED_AT = Date.parse('2015-08-30T12:36:00Z');

export interface Message {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: string;
}

export function callerRequest({ method, target, headers, body = '' }: Message): CallerRequest {
  const { path, rawQuery } = splitTarget(target);
  const byName = new Map<string, string[]>();
  for (const [name, value] of headers) {
    byName.set(name.toLowerCase(), [...(byName.get(name.toLowerCase()) ?? []), value]);
  }
  return {
    method,
    path,
    rawQuery,
    query: readQuery(rawQuery),
    headers: byName,
    body: Buffer.from(body),
    peer: { protocol: 'HTTP' },
  };
}

export function verify(request: CallerRequest, options: Partial<SigV4Options> = {}): CallerVerdict | undefined {
  const accessKeys = { secretsOf: (id: string) => (id === KEY.accessKeyId ? [KEY.secretAccessKey] : []) };
  return new SigV4Authenticator({ accessKeys, region: 'us-east-1', now: () => SIGNED_AT, ...options }).authenticate(
    request,
  );
}

export function refusal(request: CallerRequest, options?: Partial<SigV4Options>): [string, string] {
  const verdict = verify(request, options);
  if (verdict === undefined || verdict.ok) throw new Error('The request was not refused.');
  return [verdict.reason, verdict.details];
}
