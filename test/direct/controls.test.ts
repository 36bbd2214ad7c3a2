import { describe, expect, test } from '@jest/globals';
import { readControls } from '../../src/direct/controls.js';
import { DEFAULT_LIMITS } from '../../src/direct/limits.js';

const read = (...properties: [string, string][]) =>
  readControls(properties, DEFAULT_LIMITS, { qos: 1, isService: false });

describe('control properties', () => {
  test('default to confirmation within 5 seconds', () => {
    expect(read(['colour', 'red'])).toEqual({
      ok: true,
      controls: { confirmation: true, timeoutMs: 5_000, isRequest: false, waitMs: 0 },
    });
  });

  test('steer confirmation and timeout', () => {
    expect(read(['dm-qos', '0'], ['dm-timeout-ms', '250'])).toEqual({
      ok: true,
      controls: { confirmation: false, timeoutMs: 250, isRequest: false, waitMs: 0 },
    });
    expect(read(['dm-qos', '1'])).toMatchObject({ ok: true, controls: { confirmation: true } });
  });

  test.each([
    ['dm-timeout-ms', '1'],
    ['dm-qos', '1'],
  ])('%s is refused where it is there twice', (name, value) => {
    expect(read([name, value], [name, value])).toMatchObject({ ok: false, reason: 'INVALID_PARAMETER' });
  });

  test('ask for no confirmation at QoS 0, where there is none', () => {
    const atQos0 = (value: string) => readControls([['dm-qos', value]], DEFAULT_LIMITS, { qos: 0, isService: false });
    expect(atQos0('0')).toMatchObject({ ok: true, controls: { confirmation: false } });
    expect(atQos0('1')).toMatchObject({ ok: false, reason: 'INVALID_PARAMETER' });
    expect(readControls([], DEFAULT_LIMITS, { qos: 0, isService: false })).toMatchObject({
      controls: { confirmation: false },
    });
  });

  test('are ignored where their name is unknown', () => {
    expect(read(['dm-colour', 'red'])).toMatchObject({ ok: true });
  });

  test.each([
    ['dm-timeout-ms', '0'],
    ['dm-timeout-ms', '15001'],
    ['dm-timeout-ms', '-1'],
    ['dm-timeout-ms', '1.5'],
    ['dm-timeout-ms', '1e3'],
    ['dm-timeout-ms', ' 5'],
    ['dm-timeout-ms', ''],
    ['dm-timeout-ms', 'soon'],
    ['dm-timeout-ms', '+5'],
    ['dm-timeout-ms', '000005'],
    ['dm-qos', '2'],
    ['dm-qos', ''],
  ])('%s: "%s" is refused', (name, value) => {
    expect(read([name, value])).toMatchObject({ ok: false, reason: 'INVALID_PARAMETER' });
  });
});
