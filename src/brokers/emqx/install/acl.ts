/**
 * EMQX's ACL file (`authorization.sources`, type `file`): Erlang terms, each ending in a dot.
 *
 * Tightbeam's part of it is one block, which lets the service's own user use `$dm/#` and, in a comment, remembers what
 * the installation found, so that it can be undone. Rules that are switched off stay in place, as comments.
 */

/** What the installation changed, and how it was before; kept in the block. */
export interface Memory {
  /** `authorization.no_match` before. */
  readonly noMatch?: 'allow' | 'deny';
  /** The file source: added by the installation, or there but disabled. */
  readonly fileSource?: 'added' | 'disabled';
  /** Types of the other sources that the installation disabled. */
  readonly disabledSources?: readonly string[];
}

const BEGIN = '%% tightbeam: begin (kept by `tightbeam emqx install`, removed by `uninstall`)';
const END = '%% tightbeam: end';
const REMEMBER = '%% tightbeam: before ';
const OFF = '%% tightbeam: off ';

/** The rule for the service's own user, who publishes to `$dm/#` and receives its own probe on it. */
export function serviceRule(username: string): string {
  return `{allow, {username, "${username.replace(/["\\]/g, '\\$&')}"}, all, ["$dm/#"]}`;
}

/**
 * Whom the file lets use `$dm/#` as the service: the user of the block, and without one (where files configure EMQX)
 * that of the first rule; undefined where there is no such rule.
 */
export function serviceUserOf(rules: string): string | undefined {
  const [rule = ''] = activeRules(blockOf(rules) ?? rules);
  return /^\{allow,\{username,"((?:\\[^]|[^"\\])*)"\},all,\["\$dm\/#"\]\}$/.exec(rule)?.[1]?.replace(/\\([^])/g, '$1');
}

/**
 * @param rules the file as it is; an existing block is replaced.
 * @param switchOff true to comment out every other rule.
 * @returns the file with the block in front.
 */
export function withBlock(rules: string, username: string, memory: Memory, switchOff: boolean): string {
  const rest = withoutBlock(rules);
  const block = [BEGIN, REMEMBER + JSON.stringify(memory), `${serviceRule(username)}.`, END].join('\n');
  const kept = switchOff ? mapLines(rest, (line) => (isRule(line) ? OFF + line : line)) : rest;
  return kept === '' ? `${block}\n` : `${block}\n${kept}`;
}

/** The file without the block; rules that are off stay off. */
function withoutBlock(rules: string): string {
  const lines = rules.split('\n');
  const [begin, end] = boundsOfBlock(lines) ?? [0, 0];
  return [...lines.slice(0, begin), ...lines.slice(end)].join('\n');
}

function blockOf(rules: string): string | undefined {
  const lines = rules.split('\n');
  const bounds = boundsOfBlock(lines);
  return bounds && lines.slice(...bounds).join('\n');
}

/** Its first line, and the line behind it. */
function boundsOfBlock(lines: readonly string[]): [begin: number, end: number] | undefined {
  const begin = lines.indexOf(BEGIN);
  const end = lines.indexOf(END);
  return begin === -1 || end < begin ? undefined : [begin, end + 1];
}

/** The file as it was before the first installation: no block, and every rule on that the installation switched off. */
export function restored(rules: string): string {
  return mapLines(withoutBlock(rules), (line) => (line.startsWith(OFF) ? line.slice(OFF.length) : line));
}

/** What the installation remembers in the block; undefined without a block. */
export function memoryOf(rules: string): Memory | undefined {
  const line = rules.split('\n').find((candidate) => candidate.startsWith(REMEMBER));
  if (line === undefined) return undefined;
  try {
    return JSON.parse(line.slice(REMEMBER.length)) as Memory;
  } catch {
    return {};
  }
}

/**
 * The rules that are in force, comments and white space removed, without their final dots.
 * Strings, quoted atoms and characters are told apart as Erlang does, for a dot or `%` in them ends nothing.
 */
export function activeRules(rules: string): string[] {
  const tokens = /%[^\n]*|"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'|\$(?:\\[^]|[^\\])|\.(?=\s|%|$)|\s+|[^]/g;
  const found: string[] = [];
  let rule = '';
  for (const [token] of rules.matchAll(tokens)) {
    if (token.startsWith('%') || /^\s/.test(token)) continue;
    if (token !== '.') rule += token;
    else {
      found.push(rule);
      rule = '';
    }
  }
  return rule === '' ? found : [...found, rule];
}

/** The ACL files that EMQX ships: 5.0, 5.1 to 5.7, and 5.8 to 6.x. */
const SHIPPED = [
  ['{allow,{username,"^dashboard?"},subscribe,["$SYS/#"]}', '{deny,all,subscribe,["$SYS/#",{eq,"#"}]}'],
  ['{allow,{username,{re,"^dashboard$"}},subscribe,["$SYS/#"]}', '{deny,all,subscribe,["$SYS/#",{eq,"#"}]}'],
  ['{allow,{username,{re,"^dashboard$"}},subscribe,["$SYS/#"]}', '{deny,all,subscribe,["$SYS/#",{eq,"#"},{eq,"+/#"}]}'],
].map(([dashboard, deny]) => [dashboard, '{allow,{ipaddr,"127.0.0.1"},all,["$SYS/#","#"]}', deny, '{allow,all}']);

/** True where the rules are just those that EMQX ships, or only `{allow, all}`: nobody's decision, safe to switch off. */
export function isShipped(rules: readonly string[]): boolean {
  if (rules.length === 1 && rules[0] === '{allow,all}') return true;
  return SHIPPED.some((shipped) => shipped.length === rules.length && shipped.every((rule, at) => rule === rules[at]));
}

/** The rules in force other than the service's own. */
export function otherRules(rules: string, username: string): string[] {
  const own = activeRules(`${serviceRule(username)}.`)[0];
  return activeRules(rules).filter((rule) => rule !== own);
}

/** True where the rule for the service's user is in force before any rule that could pre-empt it. */
export function hasServiceRule(rules: string, username: string): boolean {
  return activeRules(rules)[0] === activeRules(`${serviceRule(username)}.`)[0];
}

/** True for a rule that decides every request, so that nothing after it is ever asked. */
export function decidesAll(rule: string): boolean {
  return /^\{(allow|deny),all(,all,(all|\["#"\]))?\}$/.test(rule);
}

function isRule(line: string): boolean {
  const text = line.trim();
  return text !== '' && !text.startsWith('%');
}

function mapLines(text: string, change: (line: string) => string): string {
  return text.split('\n').map(change).join('\n');
}
