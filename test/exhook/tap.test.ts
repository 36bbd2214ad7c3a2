import { afterEach, describe, expect, test } from '@jest/globals';
import { optionalHooks } from '../../src/exhook/hooks.js';
import type { HookProviderOptions } from '../../src/exhook/provider.js';
import { TAP_TOPIC, Tap } from '../../src/exhook/tap/tap.js';
import { writeWishes } from '../../src/exhook/tap/wishes.js';
import { clientInfo, meta, startProvider } from './harness.js';
import { ask, at, client, message, tell, wishes } from './tap-support.js';

let harness: Awaited<ReturnType<typeof startProvider>>;
afterEach(() => harness.stop());

async function start(options: Partial<HookProviderOptions> = {}): Promise<void> {
  harness = await startProvider({ wishes, ...options });
}

describe('the question of the event tap', () => {
  test('is answered with what the configuration asks for', async () => {
    await start();
    const answer = await ask(harness);
    expect(answer).toMatchObject({ type: 'STOP_AND_RETURN', message: { topic: TAP_TOPIC } });
    const [head, ...lines] = answer.message?.payload.toString().split('\n') ?? [];
    expect(head).toMatch(/^tightbeam-tap\t1\t[0-9a-f]{16}$/);
    expect(lines).toEqual([
      'sample\t1073741824',
      'clients\tlock-*',
      'event\tconnect',
      'event\tdisconnect',
      'event\tsubscribe',
      'event\tdenied',
      'event\tunsubscribe',
      'event\tsession',
      'event\tpublish_in\ta/#\tb/+',
      'event\tpublish_ack\ta/#',
      'event\tdropped\t#',
      'group\tdoors\tdoor/#\tgate/#',
      '',
    ]);
  });

  test('has another answer as soon as the configuration is another, and the same while it is the same', async () => {
    await start();
    const payload = async () => (await ask(harness)).message?.payload.toString();
    const before = await payload();
    harness.provider.replaceWishes({ ...wishes });
    expect(await payload()).toBe(before);
    harness.provider.replaceWishes({ ...wishes, successRatio: 1 });
    expect(await payload()).toBe(writeWishes({ ...wishes, successRatio: 1 }));
    expect(await payload()).not.toBe(before);
  });

  test('takes the hooks of connections and messages off the node that asked, and of no other', async () => {
    await start({ hooks: optionalHooks(wishes) });
    const names = async (node: string) =>
      (await harness.call('v2', 'OnProviderLoaded', { broker: null, meta: { ...meta, node } })).hooks.map(
        ({ name }) => name,
      );
    const needed = ['client.authenticate', 'client.authorize', 'message.dropped'];
    const all = [...needed, 'client.connected', 'client.disconnected', 'message.publish', 'client.unsubscribe'];
    // It loads its provider over the connection over which its plugin can ask.
    const loading = names(meta.node);
    await ask(harness);
    expect(await loading).toEqual(needed);
    expect(await names(meta.node)).toEqual(needed);
    expect(await names('other@127.0.0.1')).toEqual(all);
  });

  test('makes the hook calls of that node say nothing more, for what it does is told once', async () => {
    await start();
    await ask(harness);
    const info = clientInfo();
    const published = message('a/b', Buffer.from('x'));
    await harness.call('v2', 'OnClientConnected', { clientinfo: info, meta });
    await harness.call('v2', 'OnClientDisconnected', { clientinfo: info, reason: 'normal', meta });
    await harness.call('v2', 'OnClientUnsubscribe', { clientinfo: info, props: [], topic_filters: [], meta });
    await harness.call('v2', 'OnMessageDelivered', { clientinfo: info, message: published, meta });
    expect(await harness.call('v2', 'OnMessagePublish', { message: published, meta })).toMatchObject({
      type: 'IGNORE',
    });
    await harness.call('v2', 'OnClientAuthorize', {
      clientinfo: info,
      type: 'SUBSCRIBE',
      topic: 'a',
      result: true,
      meta,
    });
    await tell(harness, { type: 'Unsubscribe', at, ...client, topic: 'last' });
    expect(harness.events.all.map(({ name }) => name)).toEqual(['Unsubscribe']);
  });

  test('counts for as long as the plugin goes on asking', async () => {
    await start();
    let now = 0;
    const tap = new Tap(wishes, () => now);
    expect(tap.tells('n')).toBe(false);
    tap.seen({ ...meta, node: 'n' });
    now = 29_999;
    expect(tap.tells('n')).toBe(true);
    now = 30_000;
    expect(tap.tells('n')).toBe(false);
  });
});
