import type { Command } from 'commander';
import { addCheckCommand } from './check.js';
import { addDiffCommand } from './diff.js';
import { addExplainCommand } from './explain.js';
import { addLintCommand } from './lint.js';
import { addSuggestCommand } from './suggest.js';
import { addTestCommand } from './test.js';
import { addUsageCommand } from './usage.js';
import { addWhatCanCommand } from './what-can.js';
import { addWhoCanCommand } from './who-can.js';

/** `tightbeam policy`. Its commands set the exit code to 1 where something is wrong. */
export function policyCommand(policy: Command): void {
  addCheckCommand(policy);
  addExplainCommand(policy);
  addTestCommand(policy);
  addWhoCanCommand(policy);
  addWhatCanCommand(policy);
  addDiffCommand(policy);
  addLintCommand(policy);
  addSuggestCommand(policy);
  addUsageCommand(policy);
}
