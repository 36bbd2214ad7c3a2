import { describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordedDecision } from '../../src/policy/questions/recorded.js';
import { Suggestions } from '../../src/policy/questions/suggest.js';
import type { StatementUse } from '../../src/policy/usage.js';
import { loadPolicySet } from '../../src/policy/policy-set.js';
import { nextMessage } from '../brokers/embedded/harness.js';
import { hasMosquitto, startMosquitto } from '../brokers/mosquitto/mosquitto.js';
import { ends, run, type Running } from './running.js';

const SCOPE = { partition: 'aws', region: 'us-east-1', accountId: '000000000000' };
const write = (folder: string, name: string, content: unknown): void => {
  writeFileSync(join(folder, name), JSON.stringify(content));
};

/** Locks of which no policy speaks yet. */
function folderWithoutPolicies(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tightbeam-rollout-'));
  ends.push(() => {
    rmSync(folder, { recursive: true });
  });
  setPolicies(folder, []);
  return folder;
}

function setPolicies(folder: string, policies: readonly string[]): void {
  const lock = { match: { username: 'lock-*' }, policies, thing: { name: '${username}' } };
  write(folder, 'principals.json', { principals: { lock } });
}

/** What the fleet does: each lock tells its state, and hears of its own commands and those for all. */
async function traffic(running: Running): Promise<void> {
  const [one, other] = [await running.connect('lock-17'), await running.connect('lock-18')];
  for (const [lock, name] of [
    [one, 'lock-17'],
    [other, 'lock-18'],
  ] as const) {
    await lock.subscribeAsync([`ops/${name}/#`, 'all/+'], { qos: 1 });
    await lock.publishAsync(`state/${name}/door`, 'open', { qos: 1, retain: true });
  }
  const received = nextMessage(other);
  await one.publishAsync('all/clock', '12:00', { qos: 1 });
  expect(await received).toMatchObject({ topic: 'all/clock' });
  await Promise.all([one.endAsync(), other.endAsync()]);
}

/** What nobody was seen to do: each refused. */
async function forbidden(running: Running): Promise<void> {
  await expect(running.connect('lock-19', { clientId: 'lock-17' })).rejects.toThrow(/authorized/i);
  const lock = await running.connect('lock-19');
  for (const topic of ['state/lock-17/door', 'state/lock-19/window', 'ops/lock-19/x', 'all', 'state/lock-19']) {
    await expect(lock.publishAsync(topic, 'x', { qos: 1 })).rejects.toThrow(/authorized/i);
  }
  for (const filter of ['#', 'ops/lock-17/#', 'ops/+/x', 'all/#', 'state/#']) {
    const refused = await lock.subscribeAsync(filter, { qos: 1 }).then(
      (granted) => granted.every(({ qos }) => (qos as number) >= 0x80),
      () => true,
    );
    expect([filter, refused]).toEqual([filter, true]);
  }
}

function rollsOut(name: string, start: (folder: string) => Promise<Running>, inShadow: 'broker' | 'allow'): void {
  describe(name, () => {
    test('from shadow by a suggested policy to enforcing: the same traffic passes, and what nobody did is refused', async () => {
      const folder = folderWithoutPolicies();
      const running = await start(folder);
      await traffic(running);
      await running.log.next(({ eventType, topicName }) => eventType === 'WouldDeny' && topicName === 'all/clock');

      const set = await loadPolicySet(folder, SCOPE);
      const suggestions = new Suggestions(set.arnPrefix, (of) => set.principal(of)?.principal.thing);
      for (const line of running.log.lines) {
        const recorded = recordedDecision(JSON.stringify(line), set.arnPrefix);
        if (recorded !== undefined) suggestions.add(recorded);
      }
      write(folder, 'lock.json', suggestions.policies().get('lock'));
      setPolicies(folder, ['lock']);
      running.set({ mode: 'enforce', inShadow });
      await running.service.reload();
      await running.log.next(({ eventType, details }) => eventType === 'AuthorizationMode' && details === 'enforce');

      await traffic(running);
      await forbidden(running);
      // A device that was never seen may do the same under its own name.
      const fresh = await running.connect('lock-20');
      await fresh.publishAsync('state/lock-20/door', 'open', { qos: 1 });

      const usage = await fetch(`http://127.0.0.1:${running.service.ports.metrics}/policy/usage`);
      const uses = (await usage.json()) as StatementUse[];
      expect(uses.map(({ policy, statement }) => `${policy}/${statement}`).sort()).toEqual(
        ['Connect', 'Publish', 'Receive', ...(running.retainIsTold ? ['RetainPublish'] : []), 'Subscribe'].map(
          (sid) => `lock/${sid}`,
        ),
      );
      const published = uses.find(({ statement }) => statement === 'Publish');
      expect(published?.decisions).toBeGreaterThanOrEqual(4);
    });
  });
}

rollsOut(
  'the embedded broker',
  (folder) => run('embedded', { mode: 'shadow', inShadow: 'allow' }, { more: { policies: folder } }),
  'allow',
);

if (hasMosquitto) {
  const start = async (folder: string): Promise<Running> => {
    const mosquitto = await startMosquitto();
    ends.push(() => mosquitto.dispose());
    return run('door', { mode: 'shadow' }, { address: mosquitto.path, more: { policies: folder } });
  };
  rollsOut('the door before Mosquitto', start, 'broker');
} else {
  test.skip('the door before Mosquitto, which is not installed here', () => undefined);
}
