import { describe, expect, test } from '@jest/globals';
import { nearest } from '../src/nearest.js';

describe('the name that was probably meant', () => {
  const names = ['port', 'host', 'policies', 'credentials'];
  test.each([
    ['prot', 'port'],
    ['Ports', 'port'],
    ['policys', 'policies'],
    ['credentails', 'credentials'],
    ['zzz', undefined],
    ['p', undefined],
    ['', undefined],
  ])('%s: %s', (name, expected) => {
    expect(nearest(name, names)).toBe(expected);
  });

  test('is the nearest of several', () => {
    expect(nearest('hots', ['post', 'host'])).toBe('host');
  });
});
