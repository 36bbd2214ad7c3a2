import { afterEach, expect, test } from '@jest/globals';
import { noTracing } from '../../src/observing/tracing.js';
import { fakeAuthorizer } from './fakes.js';
import { clientInfo, meta, startProvider } from './harness.js';

let harness: Awaited<ReturnType<typeof startProvider>>;
afterEach(() => harness.stop());

/** A provider whose calls write what their spans are told. */
async function start(denies: boolean) {
  const told: unknown[] = [];
  const tracing = {
    ...noTracing,
    hookCall: () => ({
      traceId: 'its trace',
      decided: ({ action }: { readonly action: string }) => told.push(action),
      refused: (reason: string) => told.push(reason),
      end: (outcome: string) => told.push(outcome),
    }),
  };
  harness = await startProvider({ tracing, authorizer: fakeAuthorizer(() => denies) });
  return told;
}
const publish = () =>
  harness.call('v2', 'OnClientAuthorize', {
    clientinfo: clientInfo(),
    type: 'PUBLISH',
    topic: 't',
    result: true,
    meta,
  });

test('the span of a call is told the decision, why the answer is no, and then the answer', async () => {
  const told = await start(true);
  await publish();
  expect(await harness.events.next('Publish-In')).toMatchObject({ traceId: 'its trace' });
  expect(told).toEqual(['iot:Publish', 'PUBLISH_NOT_AUTHORIZED', 'deny']);
});

test('the span of a call whose answer is yes is told no reason', async () => {
  const told = await start(false);
  await publish();
  expect(told).toEqual(['iot:Publish', 'allow']);
});
