import { describe, expect, it } from '@jest/globals';
import { explainWord, nearestWord } from '../../src/telemetry/explaining.js';
import { DISCONNECT_REASONS } from '../../src/observing/disconnect-reasons.js';
import { REASONS } from '../../src/reasons.js';

describe('tightbeam logs explain', () => {
  it.each([...Object.keys(REASONS), ...new Set(Object.values(DISCONNECT_REASONS)), 'UNKNOWN'])(
    'explains %s',
    (word) => {
      expect(explainWord(word)).toContain(word);
      expect(explainWord(word.toLowerCase())).toBe(explainWord(word));
    },
  );

  it.each(['explicitAllow', 'explicitDeny', 'implicitDeny', 'noPrincipal', 'error'])(
    'explains the cause %s',
    (word) => {
      expect(explainWord(word)).toContain('the cause of a decision');
    },
  );

  it('explains codes by the reasons that they stand for', () => {
    expect(explainWord('404')).toContain('CLIENT_NOT_CONNECTED');
    expect(explainWord('0x90')).toContain('CLIENT_NOT_CONNECTED');
    expect(explainWord('0x87')).toContain('RECEIVER_NOT_AUTHORIZED');
    expect(explainWord('299')).toBeUndefined();
    expect(explainWord('0x42')).toBeUndefined();
  });

  it('knows which word was probably meant', () => {
    expect(explainWord('PUBACK_TIMOUT')).toBeUndefined();
    expect(nearestWord('PUBACK_TIMOUT')).toBe('PUBACK_TIMEOUT');
    expect(nearestWord('conection_lost')).toBe('CONNECTION_LOST');
    expect(nearestWord('xyzzy-plugh')).toBeUndefined();
  });
});
