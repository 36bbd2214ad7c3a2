import { jest } from '@jest/globals';
import { Command } from 'commander';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { policyCommand } from '../../src/cli/policy/commands.js';

export const EXAMPLES = new URL('../../policies', import.meta.url).pathname;

interface Ended {
  readonly output: string;
  readonly exitCode: number;
}

/** Each test of the file has a copy of the example policies, `folder`, which is made before and removed after it. */
export class CliFolder {
  folder = '';

  constructor() {
    beforeEach(async () => {
      this.folder = await mkdtemp(join(tmpdir(), 'tightbeam-cli-'));
      await cp(EXAMPLES, this.folder, { recursive: true });
    });
    afterEach(async () => {
      process.exitCode = undefined;
      await rm(this.folder, { recursive: true });
    });
  }

  /** Runs `policy ...` on the copied folder. */
  readonly run = (...args: string[]): Promise<Ended> => runAlone(...args, '--policies', this.folder);
}

/** Runs `policy ...`. */
export async function runAlone(...args: string[]): Promise<Ended> {
  const lines: string[] = [];
  const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  try {
    const program = new Command().exitOverride();
    policyCommand(program.command('policy'));
    await program.parseAsync(['policy', ...args], { from: 'user' });
  } finally {
    write.mockRestore();
  }
  const exitCode = Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  return { output: lines.join(''), exitCode };
}
