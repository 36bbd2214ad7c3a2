import { describe, expect, test } from '@jest/globals';
import { readControls } from '../../src/direct/controls.js';
import { DEFAULT_LIMITS } from '../../src/direct/limits.js';

const read = (...properties: [string, string][]) => readControls(properties, DEFAULT_LIMITS);

describe('control properties', () => {
  test('default to confirmation within 5 seconds', () => {
    expect(read(['colour', 'red'])).toEqual({ ok: true, controls: { confirmation: true, timeoutMs: 5_000 } });
  });

  test('steer confirmation and timeout', () => {
    expect(read(['dm-qos', '0'], ['dm-timeout-ms', '250'])).toEqual({
      ok: true,
      controls: { confirmation: false, timeoutMs: 250 },
    });
    expect(read(['dm-qos', '1'])).toMatchObject({ ok: true, controls: { confirmation: true } });
  });

  test('count by their first value where a name repeats', () => {
    expect(read(['dm-timeout-ms', '1'], ['dm-timeout-ms', '15000'])).toMatchObject({ controls: { timeoutMs: 1 } });
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
    ['dm-qos', '2'],
    ['dm-qos', ''],
  ])('%s: "%s" is refused', (name, value) => {
    expect(read([name, value])).toMatchObject({ ok: false, reason: 'INVALID_PARAMETER' });
  });
});
