import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { logsCommand } from '../../src/cli/logs.js';
import { REASONS, type Reason } from '../../src/reasons.js';
import { explainReason } from '../../src/telemetry/reason-text.js';
import { reasonsMarkdown } from '../../scripts/docs/reasons.js';

const page = readFileSync('docs/reasons.md', 'utf8');
const reasons = Object.keys(REASONS) as Reason[];

describe('docs/reasons.md', () => {
  it('has a row and a section for every reason of the table, and none besides', () => {
    const rows = [...page.matchAll(/^\| `(\w+)`/gm)].map((match) => match[1]);
    const sections = [...page.matchAll(/^## (\w+)$/gm)].map((match) => match[1]);
    expect(rows).toEqual(reasons);
    expect(sections).toEqual(reasons);
  });

  it('says word for word what the table says (else run `npm run docs`)', () => {
    expect(page).toBe(reasonsMarkdown());
  });
});

describe('tightbeam logs explain', () => {
  it.each(reasons)('prints meaning, causes and next steps of %s', (reason) => {
    const text = explainReason(reason);
    const { meaning, causes, next } = REASONS[reason];
    for (const part of [reason, meaning, ...causes, ...next]) expect(text).toContain(part);
  });

  it('lists the reasons where it does not know the one asked for', () => {
    const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
    logsCommand(program.command('logs'));
    for (const group of program.commands) for (const command of group.commands) command.copyInheritedSettings(program);
    expect(() => program.parse(['logs', 'explain', 'NO_SUCH'], { from: 'user' })).toThrow(/PUBACK_TIMEOUT/);
  });
});
