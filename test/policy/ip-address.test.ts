import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BlockList } from 'node:net';
import { readRange } from '../../src/policy/conditions/ip-address.js';
import { FALSE, TRUE } from '../../src/policy/matching/tri.js';

const ipv4 = fc.ipV4();
// Node takes an address that ends in dotted form for IPv4 where it is mapped, and only then: policies do as well.
const ipv6 = fc.ipV6().filter((address) => !address.includes('.'));

test.each([
  { family: 'ipv4', address: ipv4, bits: 32 },
  { family: 'ipv6', address: ipv6, bits: 128 },
] as const)('ranges hold what those of node:net hold ($family)', ({ family, address, bits }) => {
  fc.assert(
    fc.property(address, address, fc.integer({ min: 1, max: bits }), fc.boolean(), (network, other, length, same) => {
      const list = new BlockList();
      list.addSubnet(network, length, family);
      const asked = same ? network : other;
      expect(readRange(`${network}/${length}`).holds(asked)).toBe(list.check(asked, family) ? TRUE : FALSE);
    }),
    { numRuns: 300 },
  );
});

test('no range of IPv6 holds an address of IPv4, nor the other way round', () => {
  expect(readRange('::/0').holds('192.0.2.1')).toBe(FALSE);
  expect(readRange('0.0.0.0/0').holds('2001:db8::1')).toBe(FALSE);
});
