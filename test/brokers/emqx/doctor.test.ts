import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EmqxApi } from '../../../src/brokers/emqx/api.js';
import { diagnose, isHealthy } from '../../../src/brokers/emqx/install/doctor.js';
import { carryOut, planInstall } from '../../../src/brokers/emqx/install/install.js';
import { readState } from '../../../src/brokers/emqx/install/state.js';
import { FakeEmqx, HOOKS, SHIPPED_ACL } from './fake-emqx.js';
import { FakeBroker } from './fake-broker.js';

describe('the doctor', () => {
  let emqx: FakeEmqx;
  let broker: FakeBroker;

  beforeEach(async () => {
    emqx = await FakeEmqx.start();
    emqx.folder = ['tightbeam-0.1.0'];
    broker = await FakeBroker.start();
    const plugin = { version: '0.1.0', upgrade: false };
    const options = { username: 'tightbeam', exclusive: false, exHookUrl: 'http://service:9000', plugin };
    await carryOut(emqx.api, planInstall(await readState(emqx.api), options));
  });
  afterEach(async () => {
    await emqx.stop();
    await broker.stop();
  });

  const examine = (api: EmqxApi = emqx.api) =>
    diagnose(api, {
      version: '0.1.0',
      probeTimeoutMs: 500,
      broker: { url: broker.url, username: 'tightbeam', password: 'secret' },
    });

  const change = (server: Record<string, unknown>) => {
    emqx.exHooks[0] = { ...emqx.exHooks[0], ...server };
  };
  const setAcl = (rules: string) => {
    emqx.sources = [{ type: 'file', enable: true, rules }];
  };
  const SERVICE_RULE = '{allow, {username, "tightbeam"}, all, ["$dm/#"]}.\n';

  it('finds an EMQX well on which Tightbeam has just been installed', async () => {
    const diagnoses = await examine();
    expect(diagnoses.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(diagnoses.map(({ check }) => check)).toEqual([
      'nodes',
      'exhook',
      'hooks',
      'other exhooks',
      'listeners',
      'authentication',
      'authorization',
      'acl',
      'cache',
      'plugin',
      'guard',
      'probe',
    ]);
    expect(isHealthy(diagnoses)).toBe(true);
  });

  it.each<[check: string, status: 'warn' | 'fail', says: RegExp, broken: string, arrange: () => void]>([
    [
      'nodes',
      'fail',
      /not running: emqx9/,
      'a node that is down',
      () => (emqx.nodes = [{ ...emqx.nodes[0], node_status: 'stopped' }]),
    ],
    ['nodes', 'fail', /older than 5\.0/, 'EMQX 4', () => (emqx.nodes = [{ ...emqx.nodes[0], version: '4.4.19' }])],
    [
      'nodes',
      'warn',
      /5\.8\.9, 6\.0\.1/,
      'half an upgrade',
      () => emqx.nodes.push({ ...emqx.nodes[0], node: 'two', version: '6.0.1' }),
    ],
    ['exhook', 'fail', /no ExHook server/, 'no registration', () => (emqx.exHooks = [])],
    [
      'exhook',
      'fail',
      /disabled/,
      'a registration that is off',
      () => {
        change({ enable: false, hooks: [] });
      },
    ],
    [
      'exhook',
      'fail',
      /does not reach the service at http:\/\/service:9000 \(connecting\)/,
      'a service that is down',
      () => {
        change({ hooks: [], node_status: [{ node: 'emqx9@127.0.0.1', status: 'connecting' }] });
      },
    ],
    [
      'exhook',
      'warn',
      /failed_action is "ignore"/,
      'failed_action ignore without need',
      () => {
        change({ failed_action: 'ignore' });
      },
    ],
    [
      'exhook',
      'warn',
      /auto_reconnect is 1m/,
      'a slow auto_reconnect',
      () => {
        change({ auto_reconnect: '1m' });
      },
    ],
    [
      'exhook',
      'warn',
      /auto_reconnect is false/,
      'no auto_reconnect',
      () => {
        change({ auto_reconnect: false });
      },
    ],
    [
      'hooks',
      'fail',
      /no hook is loaded/,
      'no hooks',
      () => {
        change({ hooks: [] });
      },
    ],
    [
      'hooks',
      'fail',
      /not loaded: client\.authorize/,
      'a hook too few',
      () => {
        change({ hooks: HOOKS.filter(({ name }) => name !== 'client.authorize') });
      },
    ],
    [
      'hooks',
      'warn',
      /message\.acked is called for every message/,
      'a hook on every message',
      () => {
        change({ hooks: [...HOOKS, { name: 'message.acked', params: { topics: [] } }] });
      },
    ],
    [
      'other exhooks',
      'fail',
      /EMQX asks the ExHook server audit first, and stops there/,
      'a server in the way',
      () => {
        emqx.addForeignExHook('audit', 'deny', ['message.delivered']);
        emqx.exHooks.reverse();
      },
    ],
    [
      'other exhooks',
      'fail',
      /audit has registered message\.publish/,
      'a server that Tightbeam is in the way of',
      () => {
        emqx.addForeignExHook('audit', 'ignore', ['message.publish']);
      },
    ],
    [
      'listeners',
      'fail',
      /tcp:default admits every client unasked/,
      'a listener without authentication',
      () => (emqx.listeners = [{ id: 'tcp:default', enable: true, enable_authn: false }]),
    ],
    [
      'listeners',
      'warn',
      /refuses clients without a username/,
      'a listener that denies anonymous clients early',
      () => (emqx.listeners = [{ id: 'tcp:default', enable: true, enable_authn: 'quick_deny_anonymous' }]),
    ],
    [
      'authentication',
      'warn',
      /\(built_in_database\), before it asks Tightbeam/,
      'a chain of its own',
      () => (emqx.authenticators = [{ mechanism: 'password_based', backend: 'built_in_database', enable: true }]),
    ],
    [
      'authorization',
      'fail',
      /no_match is "allow"/,
      'no_match allow',
      () => (emqx.settings = { ...emqx.settings, no_match: 'allow' }),
    ],
    [
      'authorization',
      'warn',
      /before the policies: http/,
      'a source of its own',
      () => emqx.sources.push({ type: 'http', enable: true }),
    ],
    [
      'acl',
      'fail',
      /no first rule/,
      'an ACL without the service',
      () => {
        setAcl('');
      },
    ],
    ['acl', 'fail', /no first rule/, 'no ACL', () => (emqx.sources = [])],
    [
      'acl',
      'fail',
      /decides everything \(\{allow,all\}\)/,
      'the ACL that EMQX ships',
      () => {
        setAcl(SERVICE_RULE + SHIPPED_ACL);
      },
    ],
    [
      'acl',
      'warn',
      /1 rules that decide before/,
      'a rule of somebody',
      () => {
        setAcl(`${SERVICE_RULE}{deny, {username, "x"}, all, ["#"]}.`);
      },
    ],
    ['plugin', 'fail', /not installed/, 'no plugin', () => (emqx.plugins = [])],
    [
      'plugin',
      'fail',
      /tightbeam-0\.1\.0 does not run on emqx9/,
      'a stopped plugin',
      () => {
        emqx.plugins = [];
        emqx.addPlugin('0.1.0', 'stopped');
      },
    ],
    [
      'plugin',
      'fail',
      /does not run on two/,
      'a node without the plugin',
      () => emqx.nodes.push({ ...emqx.nodes[0], node: 'two' }),
    ],
    [
      'plugin',
      'warn',
      /tightbeam-0\.0\.9 with release 0\.1\.0/,
      'an old plugin',
      () => {
        emqx.plugins = [];
        emqx.addPlugin('0.0.9');
      },
    ],
    [
      'plugin',
      'fail',
      /several versions/,
      'two plugins',
      () => {
        emqx.addPlugin('0.0.9');
      },
    ],
    ['guard', 'fail', /switched off/, 'the guard off', () => (emqx.pluginConfig = { guard: 'off' })],
    [
      'guard',
      'fail',
      /switched off/,
      'half a guard',
      () => (emqx.pluginConfig = { guard: 'deny', guard_authorize: false }),
    ],
    [
      'guard',
      'fail',
      /another ExHook server or service user/,
      'a guard of another server',
      () => (emqx.pluginConfig = { exhook_server: 'other' }),
    ],
    [
      'guard',
      'fail',
      /alarm tightbeam_no_hook_provider/,
      'the alarm of the guard',
      () => emqx.alarms.push({ name: 'tightbeam_no_hook_provider', message: 'denied' }),
    ],
    ['guard', 'fail', /none without the plugin/, 'no plugin', () => (emqx.plugins = [])],
  ])('%s: %s, %s, for %s, and says how to mend it', async (check, status, says, _, arrange) => {
    arrange();
    const diagnoses = await examine();
    const found = diagnoses.filter((diagnosis) => diagnosis.check === check && diagnosis.status !== 'ok');
    expect(found).toEqual([
      expect.objectContaining({ status, message: expect.stringMatching(says), mend: expect.stringMatching(/\w+/) }),
    ]);
    // A warning of one check may be a failure of another: two nodes, one without the plugin.
    expect(status === 'fail' && isHealthy(diagnoses)).toBe(false);
  });

  it.each([
    ['the cache as EMQX ships it', {}, /after 1m at the most/],
    ['direct topics excluded', { excludes: ['a/#', '$dm/#'] }, /counts at once/],
    ['no cache', { enable: false }, /off/],
  ])('says how soon a policy change counts: %s', async (_, cache, says) => {
    emqx.settings = { ...emqx.settings, cache: { enable: true, max_size: 32, ttl: '1m', excludes: [], ...cache } };
    const found = (await examine()).filter(({ check }) => check === 'cache');
    expect(found).toEqual([{ check: 'cache', status: 'ok', message: expect.stringMatching(says) }]);
  });

  it('calls an EMQX healthy of which it only has something to remark', async () => {
    change({ auto_reconnect: '1m' });
    expect(isHealthy(await examine())).toBe(true);
  });

  it('takes a switched-off listener, authenticator or source for none', async () => {
    emqx.listeners.push({ id: 'ws:default', enable: false, enable_authn: false });
    emqx.authenticators = [{ mechanism: 'jwt', enable: false }];
    emqx.sources.push({ type: 'http', enable: false });
    expect((await examine()).filter(({ status }) => status !== 'ok')).toEqual([]);
  });

  it('says that the API refuses the key, and still probes', async () => {
    const diagnoses = await examine(emqx.apiWith('wrong'));
    expect(diagnoses).toEqual([
      expect.objectContaining({
        check: 'api',
        status: 'fail',
        message: expect.stringContaining('401 BAD_API_KEY_OR_SECRET'),
      }),
      expect.objectContaining({ check: 'probe', status: 'ok' }),
    ]);
  });
});
