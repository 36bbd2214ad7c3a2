/** What every benchmark prints alike. */

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Says whether a figure is within its bound; where one is not, or is none, the run ends with exit code 1. */
export function verdict(what: string, value: number, bound: 'at least' | 'at most', target: number): void {
  const passed = bound === 'at least' ? value >= target : value <= target;
  if (!passed) process.exitCode = 1;
  print(`${passed ? 'PASS' : 'FAIL'}  ${what}: ${written(value)} (${bound} ${written(target)})`);
}

function written(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}
