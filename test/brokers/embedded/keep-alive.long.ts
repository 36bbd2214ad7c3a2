import { expect, test } from '@jest/globals';
import { startBroker } from './harness.js';

const KEEP_ALIVE_S = 4;

test('direct messages and their acknowledgements alone keep both connections alive', async () => {
  const running = await startBroker();
  const device = await running.raw('lock-17', { keepalive: KEEP_ALIVE_S });
  const backend = await running.raw('backend', { keepalive: KEEP_ALIVE_S });
  // The broker may end a connection after one and a half times that long (MQTT 5, section 3.1.2.10).
  const until = performance.now() + 2 * 1_500 * KEEP_ALIVE_S;
  let id = 0;
  while (performance.now() < until) {
    backend.publish('$dm/lock-17/t', ++id % 65_535, {});
    device.acknowledge(await device.next('publish'));
    expect(await backend.next('puback')).toMatchObject({ reasonCode: 0x00 });
  }
  expect(running.broker.load.connections).toBe(2);
  await running.stop();
});
