import type { Command } from 'commander';
import { addCheckCommand } from './check.js';
import { addExplainCommand } from './explain.js';
import { addTestCommand } from './test.js';

/** Adds the `policy` commands. They set the exit code to 1 where something is wrong. */
export function addPolicyCommands(program: Command): void {
  const policy = program.command('policy').description('check, explain and test policies');
  addCheckCommand(policy);
  addExplainCommand(policy);
  addTestCommand(policy);
}
