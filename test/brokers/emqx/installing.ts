import { afterEach, beforeEach } from '@jest/globals';
import { activeRules } from '../../../src/brokers/emqx/install/acl.js';
import { carryOut, type InstallOptions, planInstall } from '../../../src/brokers/emqx/install/install.js';
import { readState } from '../../../src/brokers/emqx/install/state.js';
import { planUninstall } from '../../../src/brokers/emqx/install/uninstall.js';
import { FakeEmqx } from './fake-emqx.js';
import type { Recorded } from './recording.js';

export const PACKAGE = { version: '0.1.0', content: new TextEncoder().encode('package') };
export const OPTIONS = {
  username: 'tightbeam',
  exclusive: false,
  exHookUrl: 'http://service:9000',
  reachWithinMs: 600,
  plugin: { package: PACKAGE, version: '0.1.0', upgrade: false, allowWithinMs: 0 },
} satisfies InstallOptions;
export const SERVICE_RULE = '{allow,{username,"tightbeam"},all,["$dm/#"]}';

/** An EMQX on which nothing is installed, and what is done to it; a new one for each test. */
export class Installing {
  emqx!: FakeEmqx;

  constructor(version: Recorded) {
    beforeEach(async () => {
      this.emqx = await FakeEmqx.start(version);
      this.emqx.allowed = ['tightbeam-0.1.0', 'tightbeam-0.2.0'];
    });
    afterEach(() => this.emqx.stop());
  }

  plan = async (options: Partial<InstallOptions> = {}) =>
    planInstall(await readState(this.emqx.api), { ...OPTIONS, ...options });
  install = async (options: Partial<InstallOptions> = {}) => carryOut(this.emqx.api, await this.plan(options));
  uninstall = async () => carryOut(this.emqx.api, planUninstall(await readState(this.emqx.api)));
  rulesInForce = () =>
    this.emqx.sources
      .filter(({ type, enable }) => type === 'file' && enable === true)
      .flatMap(({ rules }) => activeRules(rules as string));
}
