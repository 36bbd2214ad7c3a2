import { describe, expect, test } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { createHash, createHmac } from 'node:crypto';
import type { CallerRequest } from '../../src/identity/caller.js';
import { Sha256 } from '../../src/identity/sigv4/sha256.js';
import { encode, queryText } from '../http/support.js';
import { runs } from '../long.js';
import { callerRequest, KEY, refusal, SIGNED_AT, verify } from './sigv4-support.js';

const signer = (service = 'iotdata', region = 'us-east-1', token?: string): SignatureV4 =>
  new SignatureV4({
    credentials: { ...KEY, ...(token !== undefined && { sessionToken: token }) },
    region,
    service,
    sha256: Sha256,
  });

const HOST = 'iot.example.com';
interface Generated {
  readonly method: string;
  readonly segments: readonly string[];
  readonly query: Record<string, string | string[]>;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly trailingSlash: boolean;
}

function unsigned({ method, segments, query, headers, body, trailingSlash }: Generated) {
  const path = `/${segments.map(encode).join('/')}${trailingSlash ? '/' : ''}`;
  return { protocol: 'https:', hostname: HOST, method, path, query, headers: { host: HOST, ...headers }, body };
}

function wire(request: ReturnType<typeof unsigned>): CallerRequest {
  return callerRequest({
    method: request.method,
    target: `${request.path}${queryText(request.query)}`,
    headers: Object.entries(request.headers),
    body: request.body,
  });
}

const oddText = fc.oneof(
  fc.constantFrom('', '/', '%2F', '%252F', '.', '..', 'a b', '+', '~', "!'()*", 'ü/設備/🔒', '=&', '__proto__'),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
);
const generated: fc.Arbitrary<Generated> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'DELETE'),
  segments: fc.array(oddText, { maxLength: 5 }),
  query: fc.dictionary(
    oddText.filter((name) => name !== '__proto__' && !/^x-amz-/i.test(name)),
    fc.oneof(oddText, fc.array(oddText, { minLength: 1, maxLength: 3 })),
    { maxKeys: 5 },
  ),
  headers: fc.dictionary(fc.stringMatching(/^x-test-[a-z]{1,4}$/), fc.stringMatching(/^[!-~]( ?[!-~ ]{0,9}[!-~])?$/), {
    maxKeys: 3,
  }),
  body: fc.string({ maxLength: 20 }),
  trailingSlash: fc.boolean(),
});
const signingDate = new Date(SIGNED_AT);

describe("agreement with AWS's signer", () => {
  test('requests with odd paths, queries and headers, signed in the header', async () => {
    await fc.assert(
      fc.asyncProperty(generated, async (input) => {
        const signed = await signer().sign(unsigned(input), { signingDate });
        expect(verify(wire(signed as ReturnType<typeof unsigned>))).toMatchObject({ ok: true });
      }),
      { numRuns: runs(1_000, 50_000) },
    );
  });

  test('and presigned', async () => {
    await fc.assert(
      fc.asyncProperty(generated, async (input) => {
        const signed = await signer().presign(unsigned(input), { signingDate, expiresIn: 60 });
        expect(verify(wire(signed as ReturnType<typeof unsigned>))).toMatchObject({ ok: true });
      }),
      { numRuns: runs(1_000, 50_000) },
    );
  });

  test('a change of any one character of path, query, header or body is noticed', async () => {
    const change = (text: string, at: number): string => {
      const index = at % text.length;
      const other = text[index] === 'a' ? 'b' : 'a';
      return text.slice(0, index) + other + text.slice(index + 1);
    };
    const input = { method: 'POST', segments: ['connections', 'lock-17', 'messages'], trailingSlash: false };
    const rest = { query: { topic: 'cmd/open' }, headers: { 'x-amz-mqtt5-correlation-data': 'Zm9v' }, body: 'open' };
    const signed = await signer().sign(unsigned({ ...input, ...rest }), { signingDate });
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom('path', 'query', 'header', 'body'), (at, part) => {
        const headers = { ...signed.headers };
        if (part === 'header') headers['x-amz-mqtt5-correlation-data'] = change('Zm9v', at);
        const changed = wire({
          ...(signed as ReturnType<typeof unsigned>),
          headers: headers as { host: string },
          path: part === 'path' ? `/${change(signed.path.slice(1), at)}` : signed.path,
          query: { topic: part === 'query' ? change('cmd/open', at) : 'cmd/open' },
          body: part === 'body' ? change('open', at) : 'open',
        });
        expect(refusal(changed)[0]).toBe('INVALID_CREDENTIALS');
      }),
    );
  });
});

describe('signatures over path and query as they were sent, as older curls make them', () => {
  const signVerbatim = (target: string): CallerRequest => {
    const plain = callerRequest({ method: 'GET', target, headers: [['host', HOST]] });
    const claim = { date: '20150830', region: 'us-east-1', service: 'iotdata', timestamp: '20150830T123600Z' };
    const headers = new Map([...plain.headers, ['x-amz-date', [claim.timestamp]]]);
    const names = ['host', 'x-amz-date'];
    const canonical = [
      'GET',
      ...target.split('?'),
      `host:${HOST}`,
      `x-amz-date:${claim.timestamp}`,
      '',
      names.join(';'),
    ];
    const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
    const scope = `${claim.date}/${claim.region}/${claim.service}/aws4_request`;
    const text = `AWS4-HMAC-SHA256\n${claim.timestamp}\n${scope}\n${hash([...canonical, hash('')].join('\n'))}`;
    let key: string | Buffer = `AWS4${KEY.secretAccessKey}`;
    for (const part of [...scope.split('/'), text]) key = createHmac('sha256', key).update(part).digest();
    const signature = (key as Buffer).toString('hex');
    const authorization = `AWS4-HMAC-SHA256 Credential=${KEY.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
    return { ...plain, headers: headers.set('authorization', [authorization]) };
  };

  test.each(['/a?b=2&a=1', '/a%2Fb?a=b/c', '/%C3%A4?x=', "/a'b+c?x=1"])('%s verifies', (target) => {
    const request = signVerbatim(target);
    expect(verify(request)).toMatchObject({ ok: true });
    expect(refusal({ ...request, rawQuery: 'b=2', query: new Map([['b', ['2']]]) })[0]).toBe('INVALID_CREDENTIALS');
  });

  test('a signature by AWS over a%2Fb cannot be replayed over a%252Fb', async () => {
    const signed = await signer().sign(
      unsigned({ method: 'GET', segments: ['a/b'], query: {}, headers: {}, body: '', trailingSlash: false }),
      { signingDate },
    );
    const request = wire(signed as ReturnType<typeof unsigned>);
    expect(verify(request)).toMatchObject({ ok: true });
    expect(refusal({ ...request, path: '/a%252Fb' })[0]).toBe('INVALID_CREDENTIALS');
  });
});

describe('what is refused, and what the log says of it', () => {
  const plain = {
    method: 'POST',
    segments: ['connections', 'a', 'messages'],
    query: {},
    headers: {},
    body: 'x',
    trailingSlash: false,
  };
  type Signed = ReturnType<typeof unsigned>;
  const sign = async (by = signer(), input: Partial<Generated> = {}): Promise<Signed> =>
    (await by.sign(unsigned({ ...plain, ...input }), { signingDate })) as Signed;
  const presign = async (expiresIn: number): Promise<Signed> =>
    (await signer().presign(unsigned(plain), { signingDate, expiresIn })) as Signed;
  const header = (signed: Signed, changes: Record<string, string | undefined>): CallerRequest => {
    const headers = Object.fromEntries(
      Object.entries<string | undefined>({ ...signed.headers, ...changes }).filter(([, value]) => value !== undefined),
    );
    return wire({ ...signed, headers: headers as { host: string } });
  };
  const authorization = (signed: Signed): string => wire(signed).headers.get('authorization')?.[0] ?? '';

  test('a request without a signature is none of its business', () => {
    expect(
      verify(callerRequest({ method: 'GET', target: '/', headers: [['authorization', 'Bearer x']] })),
    ).toBeUndefined();
  });

  test('both services of the data plane are accepted, no other', async () => {
    expect(verify(wire(await sign(signer('iotdevicegateway'))))).toMatchObject({ ok: true });
    expect(refusal(wire(await sign(signer('s3'))))).toEqual([
      'INVALID_CREDENTIALS',
      'Signed for service s3, not for iotdata or iotdevicegateway.',
    ]);
  });

  test('another region', async () => {
    expect(refusal(wire(await sign(signer('iotdata', 'eu-west-1'))))).toEqual([
      'INVALID_CREDENTIALS',
      'Signed for region eu-west-1, not for us-east-1.',
    ]);
  });

  test.each([
    [-300_000, true],
    [-301_000, false],
    [300_000, true],
    [301_000, false],
  ])('a clock %i ms from that of the signer: accepted %p', async (skew, accepted) => {
    const request = wire(await sign());
    const now = (): number => SIGNED_AT + skew;
    if (accepted) expect(verify(request, { now })).toMatchObject({ ok: true });
    else expect(refusal(request, { now })[0]).toBe('EXPIRED_SIGNATURE');
  });

  test('a presigned URL is valid for as long as it says, and not before', async () => {
    const request = wire(await presign(600));
    expect(verify(request, { now: () => SIGNED_AT + 600_000 })).toMatchObject({ ok: true });
    expect(refusal(request, { now: () => SIGNED_AT + 601_000 })[0]).toBe('EXPIRED_SIGNATURE');
    expect(refusal(request, { now: () => SIGNED_AT - 301_000 })[0]).toBe('EXPIRED_SIGNATURE');
  });

  test('an unknown access key and a wrong secret are the same to the caller, and differ in the log', async () => {
    const request = wire(await sign());
    expect(refusal(request, { accessKeys: { secretsOf: () => [] } })).toEqual([
      'INVALID_CREDENTIALS',
      'No access key AKIDEXAMPLE, or none with this session token.',
    ]);
    expect(refusal(request, { accessKeys: { secretsOf: () => ['other'] } })).toEqual([
      'INVALID_CREDENTIALS',
      'The signature is not that of access key AKIDEXAMPLE for this request.',
    ]);
  });

  test('the old and the new secret of a rotation both count', async () => {
    const accessKeys = { secretsOf: () => ['old', KEY.secretAccessKey, 'older'] };
    expect(verify(wire(await sign()), { accessKeys })).toMatchObject({ ok: true });
  });

  test('a session token reaches the lookup, and must be signed', async () => {
    const asked: (string | undefined)[] = [];
    const secretsOf = (_id: string, token?: string): string[] => {
      asked.push(token);
      return [KEY.secretAccessKey];
    };
    const signed = await sign(signer('iotdata', 'us-east-1', 'a token'));
    expect(verify(wire(signed), { accessKeys: { secretsOf } })).toMatchObject({ ok: true });
    expect(asked).toEqual(['a token']);
    const unsignedToken = header(await sign(), { 'x-amz-security-token': 'a token' });
    expect(refusal(unsignedToken)).toEqual(['INVALID_CREDENTIALS', 'The header x-amz-security-token is not signed.']);
  });

  test('a payload that is not signed', async () => {
    const signed = await sign(signer(), { headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } });
    expect(refusal(wire(signed))[1]).toMatch(/unsigned payload is not accepted/);
  });

  const malformed: [what: string, change: (text: string) => string, details: RegExp][] = [
    ['another algorithm', (text) => text.replace('HMAC', 'ECDSA'), /algorithm/],
    ['no Credential', (text) => text.replace(/Credential=[^,]*,/, ''), /Credential/],
    ['two Credentials', (text) => `${text}, Credential=x`, /malformed/],
    ['a part that is none', (text) => `${text}, x`, /malformed/],
    ['a short scope', (text) => text.replace('/aws4_request', ''), /Credential is not/],
    ['a key ID too long for one', (text) => text.replace(KEY.accessKeyId, 'A'.repeat(129)), /^Credential is not/],
    ['a key ID of other characters', (text) => text.replace(KEY.accessKeyId, 'AKID EXAMPLE'), /^Credential is not/],
    ['a date that is not that of X-Amz-Date', (text) => text.replace('20150830', '20150829'), /dates/],
    ['a short signature', (text) => text.slice(0, -1), /64/],
    ['unsorted headers', (text) => text.replace('host;', 'z;host;'), /sorted/],
    ['a signed header that is not there', (text) => text.replace('host;', 'host;nowhere;'), /nowhere is not in/],
    ['Host that is not signed', (text) => text.replace('host;', ''), /host is not signed/],
  ];
  test.each(malformed)('%s', async (_what, change, details) => {
    const signed = await sign();
    const [reason, text] = refusal(header(signed, { authorization: change(authorization(signed)) }));
    expect(reason).toBe('INVALID_CREDENTIALS');
    expect(text).toMatch(details);
  });

  test.each([
    '20150830T123600',
    '20150830T253600Z',
    '20150230T123600Z',
    '20151330T123600Z',
    '20150830T123660Z',
    'Sun, 30 Aug 2015 12:36:00 GMT',
    undefined,
  ])('the time %p', async (time) => {
    expect(refusal(header(await sign(), { 'x-amz-date': time }))[1]).toMatch(/X-Amz-Date/);
  });

  test.each(['0', '604801', '-1', 'x', ''])('X-Amz-Expires %p', async (expires) => {
    const signed = await presign(60);
    expect(refusal(wire({ ...signed, query: { ...signed.query, 'X-Amz-Expires': expires } }))[1]).toMatch(/Expires/);
  });

  test('two signatures at once', async () => {
    const both = wire({ ...(await sign()), query: (await presign(60)).query });
    expect(refusal(both)[1]).toMatch(/both/);
  });

  test('two Authorization headers', async () => {
    const request = wire(await sign());
    const [value = ''] = request.headers.get('authorization') ?? [];
    const headers = new Map([...request.headers, ['authorization', [value, value]]]);
    expect(refusal({ ...request, headers })[1]).toMatch(/exactly one Authorization/);
  });
});
