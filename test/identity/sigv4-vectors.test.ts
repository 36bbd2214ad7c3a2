import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { callerRequest, KEY, refusal, verify, type Message } from './sigv4-support.js';

describe("AWS's published test vectors verify", () => {
  const vectors = JSON.parse(readFileSync('test/http/vectors/aws-sigv4.json', 'utf8')) as {
    readonly name: string;
    readonly header: string;
    readonly query: string;
    readonly sessionToken?: string;
  }[];
  const cases = vectors.flatMap(({ name, header, query, sessionToken }) => [
    { name: `${name}, in the header`, raw: header, sessionToken },
    { name: `${name}, presigned`, raw: query, sessionToken },
  ]);

  /** The suite has requests that only its own parser takes: folded headers, spaces and bare UTF-8 in the target. */
  function parse(raw: string): Message {
    const [head = '', ...body] = raw.split('\n\n');
    const [line = '', ...lines] = head.replace(/\n[ \t]+/g, ' ').split('\n');
    const [, method = '', target = ''] = /^(\S+) (.*) HTTP\/1\.1$/.exec(line) ?? [];
    const headers = lines.map((text) => [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1)] as const);
    return { method, target, headers, body: body.join('\n\n').replace(/\n$/, '') };
  }

  test('there are all of them', () => {
    expect(cases).toHaveLength(62);
  });

  // These two were given their session token after signing, as MQTT over WebSockets does. Here a token must be signed.
  const unsignedToken = (name: string): boolean => name.startsWith('post-sts-header-after');

  test.each(cases.filter(({ name }) => !unsignedToken(name)))('$name', ({ raw, sessionToken }) => {
    const asked: (string | undefined)[] = [];
    const accessKeys = {
      secretsOf: (_id: string, token?: string) => {
        asked.push(token);
        return [KEY.secretAccessKey];
      },
    };
    const request = callerRequest(parse(raw));
    expect(verify(request, { services: ['service'], accessKeys })).toEqual({
      ok: true,
      identity: { protocol: 'HTTP', accessKeyId: KEY.accessKeyId },
    });
    expect(asked).toEqual([sessionToken]);
    const tampered = { ...request, method: request.method === 'GET' ? 'POST' : 'GET' };
    expect(refusal(tampered, { services: ['service'], accessKeys })[0]).toBe('INVALID_CREDENTIALS');
  });

  test.each(cases.filter(({ name }) => unsignedToken(name)))('$name: refused', ({ raw }) => {
    expect(refusal(callerRequest(parse(raw)), { services: ['service'] })[0]).toBe('INVALID_CREDENTIALS');
  });
});
