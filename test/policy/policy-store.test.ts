import { cp, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PolicyAuthorizer } from '../../src/policy/deciding/engine.js';
import { PolicyStore, type ReloadEvent } from '../../src/policy/policy-store.js';
import { PolicyLoadError } from '../../src/policy/reading/problems.js';

const SCOPE = { partition: 'aws', region: 'us-east-1', accountId: '000000000000' };
const EXAMPLES = new URL('../../policies', import.meta.url).pathname;
const BACKEND = { protocol: 'HTTP', accessKeyId: 'AKIAIOSFODNN7EXAMPLE' } as const;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tightbeam-policies-'));
  await cp(EXAMPLES, folder, { recursive: true });
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function replaceInBackend(text: string, by: string): Promise<void> {
  const file = join(folder, 'backend.json');
  await writeFile(file, (await readFile(file, 'utf8')).replaceAll(text, by));
}

function mayOpen(store: PolicyStore): string {
  return new PolicyAuthorizer(store.current).sendDirectMessage(BACKEND, 'lock-17', 'cmd/open').effect;
}

test('a change is in force after a reload, and is reported with the new version', async () => {
  const events: ReloadEvent[] = [];
  const store = await PolicyStore.open(folder, SCOPE, { onReload: (event) => events.push(event) });
  const before = store.current().version;
  await replaceInBackend('"cmd/*"', '"config/*"');
  expect(mayOpen(store)).toBe('allow');
  await store.reload();
  expect(mayOpen(store)).toBe('deny');
  expect(events).toMatchObject([{ status: 'Success', version: store.current().version, errors: [], warnings: [] }]);
  expect(events[0]?.changes).toEqual([
    expect.stringMatching(/^newly allowed for backend: iot:SendDirectMessage on client\/\S+ by .*iot:topic=config\//),
    expect.stringMatching(/^newly denied for backend: iot:SendDirectMessage on client\/\S+ by .*iot:topic=cmd\//),
  ]);
  expect(store.current().version).not.toBe(before);
});

test('a bad edit keeps the running set and is reported with all of its errors', async () => {
  const events: ReloadEvent[] = [];
  const store = await PolicyStore.open(folder, SCOPE, { onReload: (event) => events.push(event) });
  const before = store.current();
  await replaceInBackend('"Effect": "Allow"', '"Effect": "Alow"');
  const event = await store.reload();
  expect(store.current()).toBe(before);
  expect(mayOpen(store)).toBe('allow');
  expect(events).toEqual([event]);
  expect(event).toMatchObject({ status: 'Failure', version: before.version });
  expect(event.errors).toHaveLength(5);
  expect(event.errors[0]).toBe(
    'error backend.json (ConnectAsItself) $.Statement[0].Effect: expected Allow or Deny, found "Alow"',
  );
});

test('a bad edit that is taken back is reported as good again', async () => {
  const events: ReloadEvent[] = [];
  const store = await PolicyStore.open(folder, SCOPE, { onReload: (event) => events.push(event) });
  await replaceInBackend('"Allow"', '"Alow"');
  await store.reload();
  await replaceInBackend('"Alow"', '"Allow"');
  await store.reload();
  expect(events.map(({ status }) => status)).toEqual(['Failure', 'Success']);
});

test('files may be symbolic links, as a mounted ConfigMap has them', async () => {
  const file = join(folder, 'backend.json');
  const target = join(folder, '..data');
  await rename(file, target);
  await symlink(target, file);
  expect(mayOpen(await PolicyStore.open(folder, SCOPE))).toBe('allow');
});

test('a folder that has gone keeps the running set', async () => {
  const store = await PolicyStore.open(folder, SCOPE);
  await rm(join(folder, 'principals.json'));
  expect(await store.reload()).toMatchObject({ status: 'Failure' });
  expect(mayOpen(store)).toBe('allow');
});

test('a reload that changes nothing is not reported', async () => {
  const events: ReloadEvent[] = [];
  const store = await PolicyStore.open(folder, SCOPE, { onReload: (event) => events.push(event) });
  expect(await store.reload()).toMatchObject({ status: 'Success' });
  expect(events).toEqual([]);
});

test('reloads asked for at once are answered by a load that began after the last of them', async () => {
  const store = await PolicyStore.open(folder, SCOPE);
  const first = store.reload();
  await replaceInBackend('"cmd/*"', '"config/*"');
  await Promise.all([first, store.reload()]);
  expect(mayOpen(store)).toBe('deny');
});

test('a watched folder is reloaded when a file changes', async () => {
  let report: (event: ReloadEvent) => void;
  const reported = new Promise<ReloadEvent>((resolve) => (report = resolve));
  const store = await PolicyStore.open(folder, SCOPE, {
    onReload: (event) => {
      if (mayOpen(store) === 'deny') report(event);
    },
  });
  store.watch(5);
  try {
    await replaceInBackend('"cmd/*"', '"config/*"');
    expect(await reported).toMatchObject({ status: 'Success' });
  } finally {
    store.close();
  }
});

test('a folder that cannot be used does not open', async () => {
  await replaceInBackend('"Version": "2012-10-17"', '"Version": "2013"');
  await expect(PolicyStore.open(folder, SCOPE)).rejects.toThrow(PolicyLoadError);
});

describe('with a baseline', () => {
  test('what grants no more than it is taken, what grants more is refused and told', async () => {
    const events: ReloadEvent[] = [];
    const store = await PolicyStore.open(folder, SCOPE, {
      baseline: EXAMPLES,
      onReload: (event) => events.push(event),
    });
    await replaceInBackend('"cmd/*"', '"cmd/open*"');
    expect(await store.reload()).toMatchObject({ status: 'Success' });
    const narrow = store.current();
    await replaceInBackend('"cmd/open*"', '"c*"');
    expect(await store.reload()).toMatchObject({ status: 'Failure', version: narrow.version, changes: [] });
    expect(store.current()).toBe(narrow);
    expect(events.at(-1)?.errors).toEqual([
      expect.stringMatching(/beyond the baseline .*: newly allowed for backend: iot:SendDirectMessage on client\//),
    ]);
  });

  test('a service does not start on policies that grant more', async () => {
    await replaceInBackend('"cmd/*"', '"c*"');
    await expect(PolicyStore.open(folder, SCOPE, { baseline: EXAMPLES })).rejects.toThrow(PolicyLoadError);
  });

  test('a baseline that cannot be read lets nothing new in', async () => {
    const baseline = join(folder, 'baseline');
    await cp(EXAMPLES, baseline, { recursive: true });
    const store = await PolicyStore.open(folder, SCOPE, { baseline });
    const before = store.current();
    await rm(baseline, { recursive: true });
    await replaceInBackend('"cmd/*"', '"cmd/open"');
    expect(await store.reload()).toMatchObject({ status: 'Failure' });
    expect(store.current()).toBe(before);
  });
});
