import { describe, expect, test } from '@jest/globals';
import { deliveryOfPuback } from '../../../src/brokers/link/puback.js';

const SENT = { confirmation: true, isRequest: false, timeoutMs: 1000, elapsedMs: 10 };

describe('a PUBACK of which the broker told nothing more', () => {
  test.each([
    [0x00, {}, 'DELIVERED', 'yes'],
    [0x00, { confirmation: false }, 'DISPATCHED', 'yes'],
    [0x00, { isRequest: true }, 'ACKNOWLEDGED_NOT_ANSWERED', 'yes'],
    [0x80, { elapsedMs: 997 }, 'RECEIVER_DISCONNECTED', 'unknown'],
    // A timer may be early by the tolerance.
    [0x80, { elapsedMs: 998 }, 'PUBACK_TIMEOUT', 'unknown'],
    [0x80, { elapsedMs: 1500 }, 'PUBACK_TIMEOUT', 'unknown'],
    [0x83, {}, 'CLIENT_OFFLINE_WITH_SESSION', 'no'],
    [0x87, {}, 'RECEIVER_NOT_AUTHORIZED', 'no'],
    [0x90, {}, 'CLIENT_NOT_CONNECTED', 'no'],
    [0x97, {}, 'RECEIVER_THROTTLED', 'no'],
    [0x10, {}, 'DELIVERY_PLUGIN_MISSING', 'no'],
  ] as const)('%d, %j is %s', (code, sent, reason, written) => {
    expect(deliveryOfPuback({ code }, { ...SENT, ...sent })).toEqual({ reason, written });
  });

  test('has the reason that its Reason String names, and that of its code where it names none', () => {
    expect(deliveryOfPuback({ code: 0x80, reasonString: 'PUBACK_TIMEOUT' }, SENT).reason).toBe('PUBACK_TIMEOUT');
    expect(deliveryOfPuback({ code: 0x80, reasonString: 'oh dear' }, SENT).reason).toBe('RECEIVER_DISCONNECTED');
  });
});

test('what was told before the PUBACK counts before it', () => {
  const told = { packetId: 1, reason: 'RECEIVER_REJECTED', code: 0x99, reasonString: 'no', written: 'yes' } as const;
  expect(deliveryOfPuback({ code: 0x80, reasonString: 'PUBACK_TIMEOUT', told }, SENT)).toEqual({
    reason: 'RECEIVER_REJECTED',
    written: 'yes',
    device: { code: 0x99, reasonString: 'no' },
  });
  const joined = {
    packetId: 1,
    reason: 'DELIVERED',
    joined: true,
    traceId: 'a'.repeat(32),
    earlierWritten: true,
  } as const;
  expect(deliveryOfPuback({ code: 0, told: joined }, SENT)).toEqual({
    reason: 'DELIVERED',
    written: 'yes',
    joined: true,
    firstTraceId: 'a'.repeat(32),
    earlierWritten: true,
  });
  // The trace of the first attempt means something where it was joined.
  expect(deliveryOfPuback({ code: 0, told: { ...joined, joined: false, earlierWritten: false } }, SENT)).toEqual({
    reason: 'DELIVERED',
    written: 'yes',
  });
});
