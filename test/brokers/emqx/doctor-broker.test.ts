import { describe, it } from '@jest/globals';
import { DOWN, HOOKS } from './fake-emqx.js';
import { Patient } from './patient.js';
import { RECORDED } from './recording.js';

type Case = [check: string, status: 'warn' | 'fail', says: RegExp, broken: string, arrange: () => void];

describe.each(RECORDED)('the doctor of EMQX %s, of nodes, hooks and plugin', (version) => {
  const patient = new Patient(version);

  it.each<Case>([
    ['nodes', 'fail', /^not running: emqx2@127.0.0.1$/, 'a node that is down', () => patient.emqx.nodes.push(DOWN)],
    [
      'nodes',
      'fail',
      /older than 5\.0/,
      'EMQX 4',
      () => (patient.emqx.nodes = [{ ...patient.emqx.nodes[0], version: '4.4.19' }]),
    ],
    [
      'nodes',
      'warn',
      /, 6\.0\.1/,
      'half an upgrade',
      () => patient.emqx.nodes.push({ ...patient.emqx.nodes[0], node: 'two', version: '6.0.1' }),
    ],
    ['exhook', 'fail', /no ExHook server/, 'no registration', () => (patient.emqx.exHooks = [])],
    [
      'exhook',
      'fail',
      /disabled/,
      'a registration that is off',
      () => {
        patient.change({ enable: false, hooks: [] });
      },
    ],
    [
      'exhook',
      'fail',
      /does not reach the service at http:\/\/127\.0\.0\.1:9000 \(connecting\)/,
      'a service that is down',
      () => {
        patient.change({ hooks: [], node_status: [{ node: patient.emqx.node, status: 'connecting' }] });
      },
    ],
    [
      'exhook',
      'warn',
      /failed_action is "ignore"/,
      'failed_action ignore without need',
      () => {
        patient.change({ failed_action: 'ignore' });
      },
    ],
    [
      'exhook',
      'warn',
      /auto_reconnect is 1m/,
      'a slow auto_reconnect',
      () => {
        patient.change({ auto_reconnect: '1m' });
      },
    ],
    [
      'exhook',
      'warn',
      /auto_reconnect is false/,
      'no auto_reconnect',
      () => {
        patient.change({ auto_reconnect: false });
      },
    ],
    [
      'exhook',
      'warn',
      /http:\/\/10\.0\.0\.7:9000 in clear text/,
      'passwords in clear text in a network',
      () => {
        patient.change({ url: 'http://10.0.0.7:9000' });
      },
    ],
    ...[
      { enable: false },
      { enable: true, verify: 'verify_none' },
      { enable: true, verify: 'verify_peer', server_name_indication: 'disable' },
    ].map((ssl): Case => [
      'exhook',
      'warn',
      /does not check that it is the service/,
      `an unchecked service: ${JSON.stringify(ssl)}`,
      () => {
        patient.change({ url: 'https://10.0.0.7:9000', ssl });
      },
    ]),
    [
      'exhook',
      'fail',
      /does not reach the service at https:/,
      'a service with TLS that is not reached',
      () => {
        const ssl = { enable: true, verify: 'verify_peer' };
        const node_status = [{ node: patient.emqx.node, status: 'connecting' }];
        patient.change({ url: 'https://10.0.0.7:9000', ssl, node_status });
      },
    ],
    [
      'hooks',
      'fail',
      /no hook is loaded/,
      'no hooks',
      () => {
        patient.change({ hooks: [] });
      },
    ],
    [
      'hooks',
      'fail',
      /not loaded: client\.authorize/,
      'a hook too few',
      () => {
        patient.change({ hooks: HOOKS.filter(({ name }) => name !== 'client.authorize') });
      },
    ],
    [
      'hooks',
      'warn',
      /message\.acked is called for every message/,
      'a hook on every message',
      () => {
        patient.change({ hooks: [...HOOKS, { name: 'message.acked', params: { topics: [] } }] });
      },
    ],
    [
      'other exhooks',
      'fail',
      /EMQX asks the ExHook server audit first, and stops there/,
      'a server in the way',
      () => {
        patient.emqx.addForeignExHook('audit', 'deny', ['message.delivered']);
        patient.emqx.exHooks.reverse();
      },
    ],
    [
      'other exhooks',
      'fail',
      /audit has registered message\.publish/,
      'a server that Tightbeam is in the way of',
      () => {
        patient.emqx.addForeignExHook('audit', 'ignore', ['message.publish']);
      },
    ],
    ['plugin', 'fail', /not installed/, 'no plugin', () => (patient.emqx.plugins = [])],
    [
      'plugin',
      'fail',
      /tightbeam-0\.1\.0 does not run on emqx/,
      'a stopped plugin',
      () => {
        patient.emqx.plugins = [];
        patient.emqx.addPlugin('0.1.0', 'stopped');
      },
    ],
    [
      'plugin',
      'fail',
      /does not run on two/,
      'a node without the plugin',
      () => patient.emqx.nodes.push({ ...patient.emqx.nodes[0], node: 'two' }),
    ],
    [
      'plugin',
      'warn',
      /tightbeam-0\.0\.9 with release 0\.1\.0/,
      'an old plugin',
      () => {
        patient.emqx.plugins = [];
        patient.emqx.addPlugin('0.0.9');
      },
    ],
    [
      'plugin',
      'fail',
      /several versions/,
      'two plugins',
      () => {
        patient.emqx.addPlugin('0.0.9');
      },
    ],
    [
      'plugin',
      'warn',
      /max_payload_bytes is 1000, and limits\.payloadBytes of the service 131072/,
      'a plugin that takes less than the service',
      () => (patient.emqx.pluginConfig = { max_payload_bytes: 1000 }),
    ],
    ['guard', 'fail', /switched off/, 'the guard off', () => (patient.emqx.pluginConfig = { guard: 'off' })],
    [
      'guard',
      'fail',
      /switched off/,
      'half a guard',
      () => (patient.emqx.pluginConfig = { guard: 'deny', guard_authorize: false }),
    ],
    [
      'guard',
      'fail',
      /another ExHook server or service user/,
      'a guard of another server',
      () => (patient.emqx.pluginConfig = { exhook_server: 'other' }),
    ],
    [
      'guard',
      'fail',
      /alarm tightbeam_no_hook_provider/,
      'the alarm of the guard',
      () => patient.emqx.alarms.push({ name: 'tightbeam_no_hook_provider', message: 'denied' }),
    ],
    ['guard', 'fail', /none without the plugin/, 'no plugin', () => (patient.emqx.plugins = [])],
  ])('%s: %s, %s, for %s, and says how to mend it', async (check, status, says, _, arrange) => {
    arrange();
    await patient.expectFinding(check, status, says);
  });
});
