import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { parsePolicyTests, runPolicyTests, type PolicyTestResult } from '../../policy/questions/policy-tests.js';
import { formatProblem, Reporter, type Problem } from '../../policy/reading/problems.js';
import { printExplanation } from './explanation.js';
import { loadOrPrint, print, printJson, subscribeOptions, type SubscribeOptions } from './folder.js';

export function addTestCommand(policy: Command): void {
  subscribeOptions(policy.command('test'))
    .description('compare decisions with a table of expected ones')
    .argument('<file...>', 'tables of tests, JSON')
    .action(testPolicies);
}

async function testPolicies(files: readonly string[], options: SubscribeOptions): Promise<void> {
  const found = await loadOrPrint(options);
  if (found === undefined) return;
  const { set, rules } = found;
  const problems: Problem[] = [];
  const results: PolicyTestResult[] = [];
  for (const file of files) {
    const report = new Reporter(problems, basename(file));
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      report.error(`cannot be read: ${(error as Error).message}`);
    });
    if (text === undefined) continue;
    const tests = parsePolicyTests(text, report);
    results.push(...runPolicyTests(set, tests, rules));
  }
  const failures = results.filter(({ passed }) => !passed);
  if (problems.length > 0 || failures.length > 0) process.exitCode = 1;
  if (options.json === true) {
    printJson({ problems, results });
    return;
  }
  for (const problem of problems) print(formatProblem(problem));
  for (const { test, explanation } of failures) {
    print(`FAILED ${test.name}`);
    print(`  expected ${JSON.stringify(test.expect)}`);
    printExplanation(explanation, '  ');
  }
  print(`${results.length - failures.length} of ${results.length} passed`);
}
