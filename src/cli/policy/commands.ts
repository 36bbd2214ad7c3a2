import type { Command } from 'commander';
import { addCheckCommand } from './check.js';
import { addExplainCommand } from './explain.js';
import { addTestCommand } from './test.js';

/** `tightbeam policy`. Its commands set the exit code to 1 where something is wrong. */
export function policyCommand(policy: Command): void {
  addCheckCommand(policy);
  addExplainCommand(policy);
  addTestCommand(policy);
}
