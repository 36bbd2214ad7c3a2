import { afterEach, beforeEach, expect } from '@jest/globals';
import type { EmqxApi } from '../../../src/brokers/emqx/api.js';
import { diagnose } from '../../../src/brokers/emqx/install/doctor.js';
import { carryOut, planInstall } from '../../../src/brokers/emqx/install/install.js';
import { readState } from '../../../src/brokers/emqx/install/state.js';
import { isHealthy, type Diagnosis } from '../../../src/brokers/finding.js';
import type { ModeSettings } from '../../../src/clients/modes.js';
import { FakeBroker } from './fake-broker.js';
import { FakeEmqx } from './fake-emqx.js';
import type { Recorded } from './recording.js';

/** An EMQX on which Tightbeam has just been installed, for the doctor to examine; a new one for each test. */
export class Patient {
  emqx!: FakeEmqx;
  broker!: FakeBroker;
  /** Why the registered address does not answer; undefined where it does. */
  dialled: string | undefined;
  modes: ModeSettings | undefined;
  limits = { payloadBytes: 131_072, clientIdCharacters: 128, topicBytes: 256, topicSlashes: 7 };

  constructor(version: Recorded) {
    beforeEach(async () => {
      this.emqx = await FakeEmqx.start(version);
      this.emqx.folder = ['tightbeam-0.1.0'];
      this.broker = await FakeBroker.start();
      this.dialled = undefined;
      this.modes = undefined;
      const plugin = { version: '0.1.0', upgrade: false };
      const options = { username: 'tightbeam', exclusive: false, exHookUrl: 'http://127.0.0.1:9000', plugin };
      await carryOut(this.emqx.api, planInstall(await readState(this.emqx.api), options));
    });
    afterEach(async () => {
      await this.emqx.stop();
      await this.broker.stop();
    });
  }

  examine(api: EmqxApi = this.emqx.api): Promise<readonly Diagnosis[]> {
    return diagnose(api, {
      version: '0.1.0',
      limits: this.limits,
      ...(this.modes && { modes: this.modes }),
      dial: () => Promise.resolve(this.dialled),
      broker: { urls: [this.broker.url], username: 'tightbeam', password: 'secret' },
    });
  }

  /** Changes the registration of Tightbeam's ExHook server. */
  change(server: Record<string, unknown>): void {
    this.emqx.exHooks[0] = { ...this.emqx.exHooks[0], ...server };
  }

  /** What the checks that are not content say, shortest form: `check status: message`. */
  async complaints(): Promise<string[]> {
    return (await this.examine())
      .filter(({ status }) => status !== 'ok')
      .map(({ check, status, message }) => `${check} ${status}: ${message}`);
  }

  setAcl(rules: string): void {
    this.emqx.sources = [{ type: 'file', enable: true, rules }];
  }

  /** One check, and in it one thing, is found and can be mended; with a failure the whole is not healthy. */
  async expectFinding(check: string, status: 'warn' | 'fail', says: RegExp): Promise<void> {
    const diagnoses = await this.examine();
    const found = diagnoses.filter((diagnosis) => diagnosis.check === check && diagnosis.status !== 'ok');
    expect(found).toEqual([
      expect.objectContaining({ status, message: expect.stringMatching(says), mend: expect.stringMatching(/\w+/) }),
    ]);
    // A warning of one check may be a failure of another: two nodes, one without the plugin.
    expect(status === 'fail' && isHealthy(diagnoses)).toBe(false);
  }
}
