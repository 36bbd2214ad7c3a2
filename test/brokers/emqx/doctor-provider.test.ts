import { describe, expect, it } from '@jest/globals';
import { Patient } from './patient.js';
import { RECORDED } from './recording.js';

/** CONNACK Not authorized (MQTT 5.0, 3.2.2.2). */
const NOT_AUTHORIZED = 0x87;
const REFUSED = 'ECONNREFUSED 127.0.0.1:9000';

describe.each(RECORDED)('the doctor of EMQX %s, of a service that is not asked or does not answer', (version) => {
  const patient = new Patient(version);

  it('names a dead service once, though EMQX calls it connected, and what follows from it', async () => {
    patient.dialled = REFUSED;
    patient.broker.connack = NOT_AUTHORIZED;
    expect(await patient.complaints()).toEqual([
      `exhook fail: the service at http://127.0.0.1:9000 does not answer: ${REFUSED}`,
      'authentication fail: no policy decides who connects, and EMQX refuses clients',
      'authorization fail: no policy decides what clients may do',
      expect.stringMatching(/^probe fail: no connection to mqtt:.*Not authorized/),
    ]);
    expect((await patient.examine()).filter(({ mend }) => mend === 'Mend "exhook" first.')).toHaveLength(3);
  });

  it('says of a service that EMQX does not reach both what EMQX says and what happens here', async () => {
    patient.dialled = REFUSED;
    patient.change({ hooks: [], node_status: [{ node: patient.emqx.node, status: 'connecting' }] });
    expect((await patient.complaints())[0]).toBe(
      `exhook fail: ${patient.emqx.node} does not reach the service at http://127.0.0.1:9000 (connecting): ${REFUSED}`,
    );
  });

  it('does not take it for dead where a client gets in: then it is this machine that does not reach it', async () => {
    patient.dialled = REFUSED;
    expect(await patient.complaints()).toEqual([]);
    expect(await patient.examine()).toContainEqual(
      expect.objectContaining({ check: 'exhook', message: expect.stringContaining('this machine does not reach') }),
    );
  });

  it('looks for the password where the service answers and its own user is refused', async () => {
    patient.broker.connack = NOT_AUTHORIZED;
    expect(await patient.complaints()).toEqual([expect.stringMatching(/^probe fail: /)]);
    expect(await patient.examine()).toContainEqual(
      expect.objectContaining({ check: 'probe', mend: expect.stringContaining('password') }),
    );
  });

  it('says of every check that does not hold that it does not, where ExHook is disabled by hand', async () => {
    patient.change({ enable: false, hooks: [], node_status: [{ node: patient.emqx.node, status: 'disabled' }] });
    expect(await patient.complaints()).toEqual([
      'exhook fail: the ExHook server is registered but disabled: EMQX asks nobody',
      'hooks fail: no hook is loaded',
      'authentication fail: no policy decides who connects, and EMQX admits clients unasked',
      'authorization fail: no policy decides what clients may do',
      'guard fail: open: it leaves alone an EMQX on which no ExHook server is enabled',
    ]);
  });

  it('does not call the guard open where it refuses clients', async () => {
    patient.change({ enable: false, hooks: [] });
    patient.broker.connack = NOT_AUTHORIZED;
    expect((await patient.complaints()).filter((line) => line.startsWith('guard'))).toEqual([]);
  });

  it('finds hooks of which no server is left, and says how they go', async () => {
    patient.emqx.exHooks = [];
    patient.emqx.plugins = [];
    patient.broker.connack = NOT_AUTHORIZED;
    expect(await patient.examine()).toContainEqual(
      expect.objectContaining({
        check: 'exhook',
        status: 'fail',
        message: expect.stringMatching(/^EMQX refuses every client although it asks nobody/),
        mend: expect.stringContaining("emqx_hooks:del('client.authenticate'"),
      }),
    );
  });

  it.each([
    ['the guard', () => (patient.emqx.pluginConfig = { guard: 'deny' })],
    [
      'an authenticator of EMQX',
      () => (patient.emqx.authenticators = [{ mechanism: 'password_based', backend: 'mysql', enable: true }]),
    ],
    [
      'another ExHook server',
      () => {
        patient.emqx.addForeignExHook('audit', 'ignore', ['client.authenticate']);
      },
    ],
  ])('does not blame left hooks where it may be %s that refuses', async (_, arrange) => {
    patient.emqx.exHooks = [];
    patient.broker.connack = NOT_AUTHORIZED;
    arrange();
    expect((await patient.complaints()).join()).not.toContain('asks nobody');
  });
});
