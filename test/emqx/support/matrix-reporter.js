import process from 'node:process';

/** Says after the run of each EMQX how many tests passed, failed and were skipped, which failed, and why some were skipped. */
export default class MatrixReporter {
  onRunComplete(_contexts, results) {
    process.stdout.write(`\n${matrix(results)}\n`);
  }
}

/**
 * By the titles of suite.ts: the outermost is that of the EMQX, and what is not tried ends in `[not tried: WHY]`.
 *
 * @param results of Jest.
 * @returns lines of text.
 */
export function matrix({ testResults }) {
  const rows = new Map();
  const broken = [];
  for (const { testFilePath, testResults: tests, failureMessage } of testResults) {
    if (tests.length === 0 && failureMessage) broken.push(`could not run: ${testFilePath}`);
    for (const each of tests) {
      const [target = 'On no EMQX'] = each.ancestorTitles;
      if (!rows.has(target)) rows.set(target, { passed: 0, failed: [], skipped: new Map() });
      count(rows.get(target), each);
    }
  }
  return [...[...rows].flatMap(([target, row]) => describe(target, row)), ...broken].join('\n');
}

function count(row, { status, ancestorTitles, title }) {
  if (status === 'passed') row.passed += 1;
  else if (status === 'failed') row.failed.push([...ancestorTitles.slice(1), title].join(', '));
  else {
    const why = /\[not tried: (.*)\]$/;
    const reason = [...ancestorTitles, title].map((each) => why.exec(each)?.[1]).find((found) => found !== undefined);
    const key = reason ?? 'left out of this run';
    row.skipped.set(key, (row.skipped.get(key) ?? 0) + 1);
  }
}

function describe(target, { passed, failed, skipped }) {
  const left = [...skipped.values()].reduce((sum, tests) => sum + tests, 0);
  return [
    `${target}: ${passed} passed, ${failed.length} failed, ${left} skipped`,
    ...failed.map((title) => `  failed: ${title}`),
    ...[...skipped].map(([why, tests]) => `  skipped ${tests}: ${why}`),
  ];
}
