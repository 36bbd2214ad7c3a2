import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { matrix, type Results } from './support/matrix-reporter.js';
import { named } from './support/named.js';

describe('The matrix of the integration suite', () => {
  const told = (status: string, ...titles: string[]) => ({
    status,
    ancestorTitles: titles.slice(0, -1),
    title: titles.at(-1) ?? '',
  });
  const file = (...testResults: Results['testResults'][number]['testResults'][number][]) => ({
    testFilePath: 'test/emqx/a.emqx.ts',
    testResults,
  });

  it('counts what passed, failed and was skipped on each EMQX, and says why', () => {
    const results = {
      testResults: [
        file(told('passed', 'On EMQX 5.8.9', 'HTTP', 'is 404'), told('failed', 'On EMQX 6.2.0', 'HTTP', 'is 404')),
        file(
          told('passed', 'On EMQX 5.8.9', 'Faults', 'one'),
          told('pending', 'On EMQX 5.8.9', 'Faults', 'restarts [not tried: no command]'),
          told('pending', 'On EMQX 6.2.0', 'Cluster [not tried: no second node]', 'moves'),
          told('pending', 'On EMQX 6.2.0', 'Cluster [not tried: no second node]', 'dies'),
          told('pending', 'On EMQX 6.2.0', 'HTTP', 'is not chosen'),
        ),
      ],
    };
    expect(matrix(results).split('\n')).toEqual([
      'On EMQX 5.8.9: 2 passed, 0 failed, 1 skipped',
      '  skipped 1: no command',
      'On EMQX 6.2.0: 0 passed, 1 failed, 3 skipped',
      '  failed: HTTP, is 404',
      '  skipped 2: no second node',
      '  skipped 1: left out of this run',
    ]);
  });

  it('names a file that could not run', () => {
    expect(matrix({ testResults: [{ ...file(), failureMessage: 'SyntaxError' }] })).toBe(
      'could not run: test/emqx/a.emqx.ts',
    );
  });
});

describe('The EMQX that the environment names', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tightbeam-targets-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  const listed = (content: unknown) => {
    const file = join(folder, 'targets.json');
    writeFileSync(file, JSON.stringify(content));
    return named({ TIGHTBEAM_EMQX_TARGETS: file });
  };
  const at = (port: number) => ({ mqttUrl: `mqtt://127.0.0.1:${port}`, apiUrl: `http://127.0.0.1:${port + 1}` });

  it('are all that the file lists', () => {
    const found = listed([
      { version: '5.8.9', ...at(1883), restart: 'true' },
      { version: '6.2.0', mqttUrl: 'mqtt://emqx:1883', apiUrl: 'http://emqx:18083', peer: { mqttUrl: 'mqtt://b' } },
    ]);
    const none = { canRestart: false, canKillPeer: false };
    expect(found).toEqual([
      expect.objectContaining({ name: 'EMQX 5.8.9', ...none, isCluster: false, canRestart: true, isLocal: true }),
      expect.objectContaining({ name: 'EMQX 6.2.0', ...none, isCluster: true, isLocal: false }),
    ]);
  });

  it.each([
    ['an unknown field', [{ ...at(1), apikey: 'x' }], /targets\.json: .*apikey/s],
    ['none', [], /targets\.json/],
  ])('with %s are refused, with the name of the file', (_, content, why) => {
    expect(() => listed(content)).toThrow(why);
  });

  it('is one where variables of its own name it, and none where nothing does', async () => {
    const [target] = named({
      TIGHTBEAM_EMQX_MQTT_URL: 'mqtt://127.0.0.1:1883',
      TIGHTBEAM_EMQX_API_URL: 'http://127.0.0.1:18083',
      TIGHTBEAM_EMQX_API_KEY: 'key',
      TIGHTBEAM_EMQX_RESTART: 'exit 3',
    });
    expect(target).toMatchObject({ name: 'EMQX at mqtt://127.0.0.1:1883', canRestart: true, isCluster: false });
    const emqx = await target?.start();
    expect(emqx).toMatchObject({ apiKey: 'key', exHookHost: '127.0.0.1' });
    await expect(emqx?.restart?.()).rejects.toThrow('ended with 3: exit 3');
    expect(named({})).toEqual([]);
  });
});
