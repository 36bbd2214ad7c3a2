import { expect, test } from '@jest/globals';
import { DirectLinkRig, MESSAGE } from './direct-link-rig.js';
import type { Received } from './scripted-broker.js';

const rig = new DirectLinkRig();
const { deliver } = rig;

test('a device that never answers is never reported as having answered, past 65,536 messages to others', async () => {
  const silent: Pick<Received, 'packet' | 'socket'>[] = [];
  const reused: Received[] = [];
  rig.broker.onPublish = (received) => {
    const { packet, socket, puback } = received;
    if (silent.some((one) => one.socket === socket && one.packet.messageId === packet.messageId)) reused.push(received);
    if (packet.topic.startsWith('$dm/dead/')) silent.push(received);
    else puback(0);
  };
  await rig.connect().whenReady();
  // Its time is never over here: a broker that owes an answer would have another connection take the messages.
  const dead = { ...MESSAGE, targetClientId: 'dead', timeoutMs: 90_000 };
  const unanswered: Promise<string>[] = [];
  for (let sent = 0; sent < 68_000; sent += 1_000) {
    if (sent % 10_000 === 0) unanswered.push(deliver(dead));
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => deliver(MESSAGE)));
    expect(new Set(answers)).toEqual(new Set(['DELIVERED']));
  }
  await rig.link.close();
  expect(await Promise.all(unanswered)).not.toContain('DELIVERED');
  expect(reused).toEqual([]);
  expect(silent).toHaveLength(7);
});
