import { describe, expect, it } from '@jest/globals';
import { isHealthy } from '../../../src/brokers/finding.js';
import { Patient } from './patient.js';
import { RECORDED } from './recording.js';

describe.each(RECORDED)('the doctor of EMQX %s', (version) => {
  const patient = new Patient(version);

  it('finds an EMQX well on which Tightbeam has just been installed', async () => {
    const diagnoses = await patient.examine();
    expect(diagnoses.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(diagnoses.map(({ check }) => check)).toEqual([
      'nodes',
      'exhook',
      'hooks',
      'other exhooks',
      'listeners',
      'mountpoints',
      'authentication',
      'authorization',
      'shadow',
      'acl',
      'cache',
      'plugin',
      'guard',
      'probe',
    ]);
    expect(isHealthy(diagnoses)).toBe(true);
  });

  it.each([
    ['the cache as EMQX ships it', {}, /after 1m at the most/],
    ['direct topics excluded', { excludes: ['a/#', '$dm/#'] }, /counts at once/],
    ['no cache', { enable: false }, /off/],
  ])('says how soon a policy change counts: %s', async (_, cache, says) => {
    patient.emqx.settings = {
      ...patient.emqx.settings,
      cache: { enable: true, max_size: 32, ttl: '1m', excludes: [], ...cache },
    };
    const found = (await patient.examine()).filter(({ check }) => check === 'cache');
    expect(found).toEqual([{ check: 'cache', status: 'ok', message: expect.stringMatching(says) }]);
  });

  it.each([
    ['http://localhost:9000', {}, /^connected on every node; /],
    ['https://10.0.0.7:9000', {}, /^connected on every node, over TLS; /],
    ['https://10.0.0.7:9000', { certfile: 'cert' }, /^connected on every node, over mutual TLS; /],
  ])('is content with %s %j, and says how it is connected', async (url, certificate, says) => {
    patient.change({ url, ssl: { enable: true, verify: 'verify_peer', ...certificate } });
    const found = (await patient.examine()).filter(({ check }) => check === 'exhook');
    expect(found).toEqual([{ check: 'exhook', status: 'ok', message: expect.stringMatching(says) }]);
  });

  it('calls an EMQX healthy of which it only has something to remark', async () => {
    patient.change({ auto_reconnect: '1m' });
    expect(isHealthy(await patient.examine())).toBe(true);
  });

  it('takes a switched-off listener, authenticator or source for none', async () => {
    patient.emqx.listeners.push({ id: 'ws:default', enable: false, enable_authn: false });
    patient.emqx.authenticators = [{ mechanism: 'jwt', enable: false }];
    patient.emqx.sources.push({ type: 'http', enable: false });
    expect((await patient.examine()).filter(({ status }) => status !== 'ok')).toEqual([]);
  });

  it('says that the API refuses the key, and still probes', async () => {
    const diagnoses = await patient.examine(patient.emqx.apiWith('wrong'));
    expect(diagnoses).toEqual([
      expect.objectContaining({
        check: 'api',
        status: 'fail',
        message: expect.stringMatching(/: 401 (BAD_API_KEY_OR_SECRET|AUTHORIZATION_HEADER_ERROR): /),
      }),
      expect.objectContaining({ check: 'probe', status: 'ok' }),
    ]);
  });
});
