import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { NoProxyHeader, readProxyHeader } from '../../../src/brokers/door/listeners/proxy-header.js';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

export function v2(command: number, kind: number, body: Buffer): Buffer {
  return Buffer.concat([SIGNATURE, Buffer.of(command, kind, body.length >> 8, body.length & 0xff), body]);
}

const tcp4 = Buffer.of(192, 0, 2, 1, 198, 51, 100, 1, 0xd9, 0x03, 0x07, 0x5b);
const tcp6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.alloc(16, 1),
  Buffer.of(0xd9, 0x03, 0x07, 0x5b),
]);
const extra = Buffer.of(0x04, 0, 3, 0, 0, 0);

test.each([
  [
    'TCP4',
    Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 55555 1883\r\n'),
    { sourceIp: '192.0.2.1', sourcePort: 55_555 },
  ],
  ['TCP6', Buffer.from('PROXY TCP6 2001:db8::1 ::1 55555 1883\r\n'), { sourceIp: '2001:db8::1', sourcePort: 55_555 }],
  ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), undefined],
  ['UNKNOWN with what else there is', Buffer.from('PROXY UNKNOWN ffff::1 ::1 65535 65535\r\n'), undefined],
  ['version 2, TCP over IPv4', v2(0x21, 0x11, tcp4), { sourceIp: '192.0.2.1', sourcePort: 55_555 }],
  [
    'version 2, with extensions',
    v2(0x21, 0x11, Buffer.concat([tcp4, extra])),
    { sourceIp: '192.0.2.1', sourcePort: 55_555 },
  ],
  ['version 2, TCP over IPv6', v2(0x21, 0x21, tcp6), { sourceIp: '2001:db8::1', sourcePort: 55_555 }],
  ['version 2, a health check', v2(0x20, 0x11, tcp4), undefined],
  ['version 2, a UNIX socket', v2(0x21, 0x31, Buffer.alloc(216)), undefined],
  ['version 2, unspecified', v2(0x21, 0x00, Buffer.alloc(0)), undefined],
])('a header is read, however it is cut, and nothing behind it: %s', (_, header, client) => {
  for (let length = 0; length < header.length; length++) {
    expect(readProxyHeader(header.subarray(0, length))).toBeUndefined();
  }
  const behind = Buffer.concat([header, Buffer.from('PROXY TCP4')]);
  expect(readProxyHeader(behind)).toEqual({ length: header.length, ...(client && { client }) });
});

test.each([
  ['MQTT', Buffer.of(0x10)],
  ['TLS', Buffer.of(0x16)],
  ['a line in small letters', Buffer.from('proxy')],
  ['another family', Buffer.from('PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n')],
  ['an address of the other family', Buffer.from('PROXY TCP4 ::1 198.51.100.1 1 2\r\n')],
  ['an address that is none', Buffer.from('PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n')],
  ['a port that is none', Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n')],
  ['a port with a sign', Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n')],
  ['two spaces', Buffer.from('PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n')],
  ['a line that goes on', Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n')],
  ['a line without an end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(93)}`)],
  ['another version', v2(0x11, 0x11, tcp4)],
  ['another command', v2(0x22, 0x11, tcp4)],
  ['UDP', v2(0x21, 0x12, tcp4)],
  ['too few addresses', v2(0x21, 0x21, tcp4)],
  ['a length beyond reason', v2(0x21, 0x11, Buffer.alloc(5_000)).subarray(0, 16)],
])('what is no header is refused as soon as that shows: %s', (_, bytes) => {
  expect(() => readProxyHeader(bytes)).toThrow(NoProxyHeader);
});

test('whatever comes, it is a header, or none, or more is waited for, and never beyond the longest', () => {
  const start = fc.constantFrom(Buffer.from('PROXY '), SIGNATURE, Buffer.alloc(0));
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 200 }), (beginning, rest) => {
      const bytes = Buffer.concat([beginning, rest]);
      try {
        const header = readProxyHeader(bytes);
        if (header !== undefined) expect(header.length).toBeLessThanOrEqual(bytes.length);
        else expect(bytes.length).toBeLessThan(4_096);
      } catch (error) {
        expect(error).toBeInstanceOf(NoProxyHeader);
      }
    }),
  );
});
