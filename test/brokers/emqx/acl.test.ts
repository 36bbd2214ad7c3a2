import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  activeRules,
  decidesAll,
  hasServiceRule,
  isShipped,
  memoryOf,
  otherRules,
  restored,
  serviceRule,
  withBlock,
} from '../../../src/brokers/emqx/install/acl.js';
import { SHIPPED_ACL } from './fake-emqx.js';

const CUSTOM = `%% ours
{allow, {username, "ops"},
  subscribe,
  ["plant/#"]}.   % the control room
{deny, {clientid, {re, "^test\\\\."}}, all, ["a.b", "50%"]}.
`;

describe("EMQX's ACL file", () => {
  it('is read as Erlang terms: comments, strings with dots and percent signs, rules over several lines', () => {
    expect(activeRules(CUSTOM)).toEqual([
      '{allow,{username,"ops"},subscribe,["plant/#"]}',
      '{deny,{clientid,{re,"^test\\\\."}},all,["a.b","50%"]}',
    ]);
  });

  it.each([
    ['5.8', SHIPPED_ACL],
    ['5.1', SHIPPED_ACL.replace(', {eq, "+/#"}', '')],
    ['5.0', SHIPPED_ACL.replace(', {eq, "+/#"}', '').replace('{re, "^dashboard$"}', '"^dashboard?"')],
  ])('of EMQX %s is known as shipped', (_, rules) => {
    expect(isShipped(activeRules(rules))).toBe(true);
  });

  it.each([
    ['one more rule', `{deny, {username, "mallory"}, all, ["#"]}.\n${SHIPPED_ACL}`],
    ['one rule changed', SHIPPED_ACL.replace('{allow, all}', '{deny, all}')],
    ['none', ''],
  ])('with %s is not taken for the shipped one', (_, rules) => {
    expect(isShipped(activeRules(rules))).toBe(false);
  });

  it("lets the service's user in first, and switches the rest off on demand", () => {
    const rules = withBlock(SHIPPED_ACL, 'tightbeam', { noMatch: 'allow' }, true);
    expect(activeRules(rules)).toEqual(['{allow,{username,"tightbeam"},all,["$dm/#"]}']);
    expect(hasServiceRule(rules, 'tightbeam')).toBe(true);
    expect(hasServiceRule(rules, 'another')).toBe(false);
    expect(memoryOf(rules)).toEqual({ noMatch: 'allow' });
  });

  it('keeps the rules of others where they are not to be switched off', () => {
    const rules = withBlock(CUSTOM, 'tightbeam', {}, false);
    expect(otherRules(rules, 'tightbeam')).toEqual(activeRules(CUSTOM));
    expect(hasServiceRule(rules, 'tightbeam')).toBe(true);
  });

  it('does not count a rule for the user that stands behind others', () => {
    expect(hasServiceRule(`${CUSTOM}${serviceRule('tightbeam')}.\n`, 'tightbeam')).toBe(false);
  });

  it('has one block, also after a second installation with another user', () => {
    const twice = withBlock(withBlock(CUSTOM, 'old', {}, true), 'new', { noMatch: 'allow' }, true);
    expect(activeRules(twice)).toEqual(['{allow,{username,"new"},all,["$dm/#"]}']);
    expect(restored(twice)).toBe(CUSTOM);
  });

  it('escapes what would end the string of a username', () => {
    expect(activeRules(`${serviceRule('a"b\\c. ')}.`)).toEqual(['{allow,{username,"a\\"b\\\\c. "},all,["$dm/#"]}']);
  });

  it('is byte for byte what it was, after uninstall', () => {
    const line = fc.oneof(
      fc.constantFrom('', '{allow, all}.', '  {deny, all}.', '%% a comment', '["a", "b"]}.', '\t'),
      fc.string(),
    );
    const texts = fc.array(line).map((lines) => lines.join('\n'));
    fc.assert(
      fc.property(texts, fc.boolean(), (text, switchOff) => {
        expect(restored(withBlock(text, 'tightbeam', { noMatch: 'allow' }, switchOff))).toBe(text);
      }),
    );
  });

  it.each(['{allow,all}', '{deny,all}', '{allow,all,all,["#"]}'])('%s decides everything', (rule) => {
    expect(decidesAll(rule)).toBe(true);
  });

  it.each(['{allow,all,publish,["a"]}', '{allow,{username,"x"},all,["#"]}'])('%s does not', (rule) => {
    expect(decidesAll(rule)).toBe(false);
  });
});
