import { describe, expect, it } from '@jest/globals';
import { exHookUrl } from '../../../src/brokers/emqx/install/install.js';

describe('the ExHook URL', () => {
  it.each([
    ['grpc://service:9000', 'http://service:9000'],
    ['grpcs://service:9443', 'https://service:9443'],
    ['GRPCS://service:9443', 'https://service:9443'],
    ['http://10.0.0.7', 'http://10.0.0.7:9000'],
    ['http://service:80/', 'http://service:80'],
    ['grpc://[::1]:9000', 'http://[::1]:9000'],
  ])('writes %s as EMQX takes it: %s', (text, url) => {
    expect(exHookUrl(text)).toBe(url);
  });

  it.each(['service:9000', 'mqtt://service:1883', 'grpc://', 'grpc://service:9000/path', ''])(
    'refuses the ExHook URL "%s"',
    (text) => {
      expect(() => exHookUrl(text)).toThrow(TypeError);
    },
  );
});
