import { describe, expect, test } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createProgram } from '../../src/cli/program.js';

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');

/** Preloaded into a command, has it print to standard error which modules it loads, one URL a line. */
const PRELOAD = module(`
  import { register } from 'node:module';
  register(${JSON.stringify(
    module(`
      import { writeSync } from 'node:fs';
      export function load(url, context, next) {
        if (url.startsWith('file:')) writeSync(2, 'loaded ' + url + '\\n');
        return next(url, context);
      }`),
  )});`);

function module(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

/** The packages that a command loads, apart from the program itself. */
function packagesOf(args: readonly string[]): ReadonlySet<string> {
  const { stderr } = spawnSync(process.execPath, ['--import', PRELOAD, MAIN, ...args], { encoding: 'utf8' });
  return new Set([...stderr.matchAll(/^loaded .*\/node_modules\/((?:@[^/]+\/)?[^/]+)/gm)].map(([, name = '']) => name));
}

describe('a command starts with no more than its own parts', () => {
  test.each([[['--version']], [['--help']], [['help']], [['logs', '--help']], [['tail', '--help']]])('%j', (args) => {
    expect([...packagesOf(args)]).toEqual(['commander']);
  });

  test('send loads the signer, and neither configuration nor service', () => {
    const packages = packagesOf(['send', '--help']);
    expect(packages).toContain('@smithy/signature-v4');
    for (const other of ['zod', 'yaml', 'pino', 'mqtt', 'fastify', '@grpc/grpc-js'])
      expect(packages).not.toContain(other);
  });
});

describe('the list of commands', () => {
  test('names each with the description that its own help has', async () => {
    const { commands } = await createProgram([]);
    expect(commands.length).toBeGreaterThan(5);
    for (const listed of commands) {
      const program = await createProgram([listed.name(), '--help']);
      const command = program.commands.find((other) => other.name() === listed.name());
      expect(command?.description()).toBe(listed.description());
      expect(
        (command?.options.length ?? 0) + (command?.commands.length ?? 0) + (listed.name() === 'demo' ? 1 : 0),
      ).toBeGreaterThan(0);
    }
  });

  test('help of a command is the same either way', () => {
    const text = (args: string[]): string => execFileSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
    expect(text(['help', 'send'])).toBe(text(['send', '--help']));
  });

  test('what is misspelt gets the nearest name', () => {
    const { stderr, status } = spawnSync(process.execPath, [MAIN, 'snd'], { encoding: 'utf8' });
    expect(stderr).toMatch('Did you mean send?');
    expect(status).toBe(1);
  });
});
