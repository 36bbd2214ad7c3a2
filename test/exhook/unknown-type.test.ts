import { afterEach, expect, test } from '@jest/globals';
import { GENERATIONS, serviceDefinition } from '../../src/exhook/protocol.js';
import { clientInfo, meta, startProvider } from './harness.js';

let harness: Awaited<ReturnType<typeof startProvider>>;
afterEach(() => harness.stop());

test.each(GENERATIONS)('an authorize type of a later generation is denied, unasked (%s)', async (generation) => {
  harness = await startProvider();
  const request = { clientinfo: clientInfo(), type: 7, topic: 't', result: true, meta };
  const encode = serviceDefinition(generation).OnClientAuthorize.requestSerialize as (request: unknown) => Buffer;
  expect(await harness.callRaw(generation, 'OnClientAuthorize', encode(request))).toEqual({
    type: 'STOP_AND_RETURN',
    bool_result: false,
  });
  expect(harness.authorizer.asked).toEqual([]);
  // It was decoded, and denied for its type.
  expect(harness.logged).toEqual([]);
});
