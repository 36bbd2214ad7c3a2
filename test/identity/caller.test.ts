import { expect, test } from '@jest/globals';
import { authenticateCaller, type CallerAuthenticator, type CallerRequest } from '../../src/identity/caller.js';

const REQUEST = {} as CallerRequest;
const answering = (
  scheme: string,
  verdict: Awaited<ReturnType<CallerAuthenticator['authenticate']>>,
): CallerAuthenticator => ({ scheme, authenticate: () => verdict });
const nothing = (scheme: string): CallerAuthenticator => answering(scheme, undefined);
const anybody = answering('anybody', { ok: true, identity: { protocol: 'HTTP', accessKeyId: 'anybody' } });

test('the first authenticator that finds its credentials decides, and no other has a say', async () => {
  const refusal = { ok: false, reason: 'INVALID_CREDENTIALS', details: 'wrong' } as const;
  expect(await authenticateCaller([nothing('a'), answering('b', refusal), anybody], REQUEST)).toBe(refusal);
  expect(await authenticateCaller([nothing('a'), anybody, answering('b', refusal)], REQUEST)).toMatchObject({
    ok: true,
  });
});

test('who shows no credentials is told which are accepted', async () => {
  expect(await authenticateCaller([nothing('a'), nothing('b')], REQUEST)).toEqual({
    ok: false,
    reason: 'MISSING_CREDENTIALS',
    details: 'No credentials of a kind accepted here (a, b).',
  });
});
