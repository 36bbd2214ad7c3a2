import { describe, expect, it } from '@jest/globals';
import { newSpanId, newTraceId, parseTraceparent } from '../../src/observing/trace-id.js';
import { TRACE_ID } from '../telemetry/samples.js';

const SPAN_ID = '00f067aa0ba902b7';

describe('traceparent', () => {
  it('is taken apart', () => {
    expect(parseTraceparent(`00-${TRACE_ID}-${SPAN_ID}-01`)).toEqual({
      traceId: TRACE_ID,
      spanId: SPAN_ID,
      sampled: true,
    });
  });

  it('of a later version may have more fields', () => {
    expect(parseTraceparent(`01-${TRACE_ID}-${SPAN_ID}-00-more`)).toMatchObject({ traceId: TRACE_ID });
  });

  it.each([
    undefined,
    '',
    TRACE_ID,
    `ff-${TRACE_ID}-${SPAN_ID}-01`,
    `00-${'0'.repeat(32)}-${SPAN_ID}-01`,
    `00-${TRACE_ID}-${'0'.repeat(16)}-01`,
    `00-${TRACE_ID.toUpperCase()}-${SPAN_ID}-01`,
    `00-${TRACE_ID}-${SPAN_ID}-01-more`,
    `00-${TRACE_ID}-${SPAN_ID}-01\n`,
  ])('is refused: %j', (text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });
});

describe('new ids', () => {
  it('have the length of the specification and do not repeat', () => {
    const ids = Array.from({ length: 2000 }, newTraceId);
    expect(new Set(ids).size).toBe(2000);
    expect(ids.every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true);
    expect(newSpanId()).toMatch(/^[0-9a-f]{16}$/);
  });
});
