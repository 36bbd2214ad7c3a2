import { describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createProgram } from '../../src/cli/program.js';

const ROOT = join(import.meta.dirname, '../..');
const DOCS = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
const PAGES = ['README.md', 'emqx-plugin/README.md', ...DOCS.map((name) => `docs/${name}`)];

/** Command lines of `tightbeam` in the code blocks of a page, as words after the name. */
function commandsOf(page: string): string[][] {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/\\\n\s*/g, ' ');
  const lines = text.split('\n').filter((line) => /^(?: {4}|\$ )/.test(line));
  return lines.flatMap((line) => {
    const found = /(?:^|[|&;]|npx|main\.js)\s*(?:tightbeam|dist\/cli\/main\.js)\s+([a-z][^#|&;]*)/.exec(line.trim());
    const words = found?.[1]?.trim().split(/\s+/) ?? [];
    return words.length === 0 ? [] : [words];
  });
}

/** The command that the words name, as far as they name one. */
async function commandNamed(words: readonly string[]): Promise<Command> {
  let command: Command = await createProgram(words);
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) break;
    command = next;
  }
  return command;
}

describe('documented commands', () => {
  it.each(PAGES)('of %s exist, with the options that they are given', async (page) => {
    for (const words of commandsOf(page)) {
      const command = await commandNamed(words);
      expect([words.join(' '), command.name()]).not.toEqual([words.join(' '), 'tightbeam']);
      const known = new Set(['--help', ...command.options.flatMap(({ long, short }) => [long, short])]);
      for (const word of words.filter((one) => /^--?[a-z]/.test(one))) {
        expect([page, words.join(' '), known.has(word.split('=')[0])]).toEqual([page, words.join(' '), true]);
      }
    }
  });

  it('are found at all', () => {
    expect(commandsOf('README.md').length).toBeGreaterThan(8);
  });
});

describe('links of the pages', () => {
  it.each(PAGES)('of %s lead somewhere', (page) => {
    const text = readFileSync(join(ROOT, page), 'utf8');
    const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, target = '']) => target);
    const missing = targets.filter((target) => !existsSync(join(ROOT, dirname(page), target)));
    expect(missing).toEqual([]);
  });
});

describe('the package', () => {
  it('holds what its pages name', () => {
    const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly files: string[] };
    for (const folder of ['docs', 'dashboards', 'emqx', 'mosquitto', 'policies', 'examples', 'dist', 'proto', 'dev']) {
      expect(files).toContain(folder);
    }
  });
});
