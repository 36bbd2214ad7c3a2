import { describe, it } from '@jest/globals';
import { SHIPPED_ACL } from './fake-emqx.js';
import { Patient } from './patient.js';
import { RECORDED } from './recording.js';

const SERVICE_RULE = '{allow, {username, "tightbeam"}, all, ["$dm/#"]}.\n';

describe.each(RECORDED)('the doctor of EMQX %s, of who decides about clients', (version) => {
  const patient = new Patient(version);

  it.each<[check: string, status: 'warn' | 'fail', says: RegExp, broken: string, arrange: () => void]>([
    [
      'listeners',
      'fail',
      /tcp:default admits every client unasked/,
      'a listener without authentication',
      () => (patient.emqx.listeners = [{ id: 'tcp:default', enable: true, enable_authn: false }]),
    ],
    [
      'listeners',
      'warn',
      /refuses clients without a username/,
      'a listener that denies anonymous clients early',
      () => (patient.emqx.listeners = [{ id: 'tcp:default', enable: true, enable_authn: 'quick_deny_anonymous' }]),
    ],
    [
      'mountpoints',
      'warn',
      /receive direct messages and cannot send any.*listener tcp:default \(plant\/\)/,
      'a mountpoint',
      () => (patient.emqx.listeners = [{ id: 'tcp:default', enable: true, enable_authn: true, mountpoint: 'plant/' }]),
    ],
    [
      'mountpoints',
      'fail',
      /include_mountpoint has EMQX ask .* namespaces \(mqtt\.namespace_as_mountpoint\)/,
      'policies that are asked about mounted topics',
      () => {
        patient.emqx.globalZone = { mqtt: { namespace_as_mountpoint: true } };
        patient.emqx.settings = { ...patient.emqx.settings, include_mountpoint: true };
      },
    ],
    [
      'shadow',
      'warn',
      /policies are in shadow, .*shadow; in shadow everything is allowed/,
      'policies in shadow that refuse nobody',
      () => (patient.modes = { mode: 'shadow', modes: {}, inShadow: 'allow' }),
    ],
    [
      'shadow',
      'fail',
      /EMQX refuses what its own rules leave open \(authorization.no_match = deny\).*lock-\*: shadow/,
      'policies in shadow where EMQX denies by itself',
      () => (patient.modes = { mode: 'enforce', modes: { 'lock-*': 'shadow' }, inShadow: 'broker' }),
    ],
    [
      'authentication',
      'warn',
      /\(built_in_database\), before it asks Tightbeam/,
      'a chain of its own',
      () =>
        (patient.emqx.authenticators = [{ mechanism: 'password_based', backend: 'built_in_database', enable: true }]),
    ],
    [
      'authorization',
      'fail',
      /no_match is "allow"/,
      'no_match allow',
      () => (patient.emqx.settings = { ...patient.emqx.settings, no_match: 'allow' }),
    ],
    [
      'authorization',
      'warn',
      /before the policies: http/,
      'a source of its own',
      () => patient.emqx.sources.push({ type: 'http', enable: true }),
    ],
    [
      'acl',
      'fail',
      /no first rule/,
      'an ACL without the service',
      () => {
        patient.setAcl('');
      },
    ],
    ['acl', 'fail', /no first rule/, 'no ACL', () => (patient.emqx.sources = [])],
    [
      'acl',
      'fail',
      /decides everything \(\{allow,all\}\)/,
      'the ACL that EMQX ships',
      () => {
        patient.setAcl(SERVICE_RULE + SHIPPED_ACL);
      },
    ],
    [
      'acl',
      'warn',
      /1 rules that decide before/,
      'a rule of somebody',
      () => {
        patient.setAcl(`${SERVICE_RULE}{deny, {username, "x"}, all, ["#"]}.`);
      },
    ],
  ])('%s: %s, %s, for %s, and says how to mend it', async (check, status, says, _, arrange) => {
    arrange();
    await patient.expectFinding(check, status, says);
  });
});
