/**
 * How often a property is tried: a few times in `npm test`, which everybody waits for, and often in `npm run test:long`.
 * It is one property all the same, and each run takes other values.
 */
export function runs(few: number, often: number): number {
  return process.env['TIGHTBEAM_TEST_LONG'] === undefined ? few : often;
}
