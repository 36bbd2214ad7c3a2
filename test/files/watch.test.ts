import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileWatch } from '../../src/files/watch.js';

let root: string;
const at = (...parts: string[]) => join(root, ...parts);
const folder = (name: string, content: string) => {
  mkdirSync(at(name), { recursive: true });
  writeFileSync(at(name, 'file'), content);
};
const link = (name: string, target: string) => {
  symlinkSync(target, at(`${name}.new`));
  renameSync(at(`${name}.new`), at(name));
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tightbeam-watch-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

/** What was read at each change told. */
function watch(name: string, file = name): { readonly watch: FileWatch; readonly read: string[] } {
  const read: string[] = [];
  return {
    read,
    watch: new FileWatch([name], () => {
      read.push(readFileSync(file, 'utf8'));
    }),
  };
}

/** One look sees the change, the next one sees that it has come to an end. */
function twice(watch: FileWatch): void {
  watch.look();
  watch.look();
}

interface Kind {
  readonly kind: string;
  /** Makes the file with the content `one`. Answers what is watched. */
  readonly before: () => string;
  /** Replaces its content, so often as it is called. */
  readonly replace: (content: string) => void;
}

const kinds: Kind[] = [
  {
    kind: 'a file that is written in place',
    before: () => {
      folder('.', 'one');
      return at('file');
    },
    replace: (content) => {
      writeFileSync(at('file'), content);
    },
  },
  {
    kind: 'a file over which another is moved, as editors save',
    before: () => {
      folder('.', 'one');
      return at('file');
    },
    replace: (content) => {
      writeFileSync(at('file~'), content);
      renameSync(at('file~'), at('file'));
    },
  },
  {
    kind: 'a file of a Kubernetes volume, whose ..data is swapped',
    before: () => {
      folder('..one', 'one');
      link('..data', '..one');
      link('file', '..data/file');
      return at('file');
    },
    replace: (content) => {
      folder(`..${content}`, content);
      link('..data', `..${content}`);
    },
  },
  {
    kind: 'a folder that is a Kubernetes volume',
    before: () => {
      folder('volume/..one', 'one');
      link('volume/..data', '..one');
      link('volume/file', '..data/file');
      return at('volume');
    },
    replace: (content) => {
      folder(`volume/..${content}`, content);
      link('volume/..data', `..${content}`);
    },
  },
  {
    kind: 'a folder that is a link of git-sync',
    before: () => {
      folder('one', 'one');
      link('current', 'one');
      return at('current');
    },
    replace: (content) => {
      folder(content, content);
      // A checkout or an archive may bring the times of the files with it.
      utimesSync(at(content, 'file'), 1, 1);
      link('current', content);
    },
  },
  {
    kind: 'a folder that is renamed away, and another one to its name',
    before: () => {
      folder('live', 'one');
      return at('live');
    },
    replace: (content) => {
      folder('next', content);
      renameSync(at('live'), at(`before-${content}`));
      renameSync(at('next'), at('live'));
    },
  },
  {
    kind: 'a file in a folder that is renamed likewise',
    before: () => {
      folder('live', 'one');
      return at('live', 'file');
    },
    replace: (content) => {
      folder('next', content);
      renameSync(at('live'), at(`before-${content}`));
      renameSync(at('next'), at('live'));
    },
  },
];

describe.each(kinds)('$kind', ({ before, replace }) => {
  test('is told at each replacement, once', () => {
    const name = before();
    const file = name.endsWith('file') ? name : join(name, 'file');
    const { watch: watched, read } = watch(name, file);
    for (const content of ['two', 'six', 'ten']) {
      replace(content);
      twice(watched);
      twice(watched);
    }
    expect(read).toEqual(['two', 'six', 'ten']);
  });
});

test('what is replaced between the first picture and the first look is told', () => {
  folder('.', 'one');
  const { watch: watched, read } = watch(at('file'));
  writeFileSync(at('file'), 'two');
  twice(watched);
  expect(read).toEqual(['two']);
});

test('what is still being written is not told until it has come to rest', () => {
  folder('.', 'one');
  const { watch: watched, read } = watch(at('file'));
  for (const part of ['a', 'b', 'c']) {
    appendFileSync(at('file'), part);
    watched.look();
  }
  expect(read).toEqual([]);
  watched.look();
  expect(read).toEqual(['oneabc']);
});

test('a folder that was seen missing is told when it goes, when it is back, and when it changes after that', () => {
  folder('live', 'one');
  let told = 0;
  const watched = new FileWatch([at('live')], () => (told += 1));
  renameSync(at('live'), at('away'));
  twice(watched);
  expect(told).toBe(1);
  renameSync(at('away'), at('live'));
  twice(watched);
  expect(told).toBe(2);
  folder('live', 'another');
  twice(watched);
  expect(told).toBe(3);
});

test('looks by itself once it is started, and no longer when it is closed', async () => {
  folder('.', 'one');
  let watched: FileWatch | undefined;
  const told = new Promise<void>((resolve) => {
    watched = new FileWatch([at('file')], resolve);
  });
  watched?.start(1);
  writeFileSync(at('file'), 'two');
  await told;
  watched?.close();
});

describe('the time between two looks', () => {
  /** What the clock tells when it is asked; nothing left: it stands still. */
  let clock: number[];
  let looks: number;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
    clock = [];
    looks = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => {
      looks += 0.5;
      return clock.shift() ?? 0;
    });
    folder('.', 'one');
  });
  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  test('does not grow with what is done about a change', () => {
    const told: string[] = [];
    const watched = new FileWatch([at('file')], () => {
      told.push(readFileSync(at('file'), 'utf8'));
      clock = [60_000];
    });
    watched.start(1_000);
    for (const content of ['two', 'six']) {
      writeFileSync(at('file'), content);
      jest.advanceTimersByTime(2_000);
    }
    expect(told).toEqual(['two', 'six']);
    watched.close();
  });

  test('does not grow with a look or two that were held up', () => {
    const watched = new FileWatch([at('file')], () => undefined);
    // 300 ms, 1 ms, and 300 ms twice.
    clock = [0, 300, 300, 301, 301, 601, 601, 901];
    watched.start(1_000);
    jest.advanceTimersByTime(4_000);
    expect(looks).toBe(4);
    watched.close();
  });

  test('is fifty times as long as a look takes', () => {
    const watched = new FileWatch([at('file')], () => undefined);
    clock = Array.from({ length: 20 }, (_, at) => at * 100);
    watched.start(1_000);
    jest.advanceTimersByTime(3_000);
    expect(looks).toBe(3);
    jest.advanceTimersByTime(4_999);
    expect(looks).toBe(3);
    jest.advanceTimersByTime(1);
    expect(looks).toBe(4);
    watched.close();
  });
});
