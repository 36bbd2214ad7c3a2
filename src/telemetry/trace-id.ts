import { randomFillSync } from 'node:crypto';

const POOL_IDS = 256;
const pool = Buffer.allocUnsafe(POOL_IDS * 16);
let used = POOL_IDS;

/** A new trace id (W3C Trace Context: 16 random bytes as 32 lower-case hex digits, not all zero). */
export function newTraceId(): string {
  // One system call for many ids: this runs for every event that brings none.
  if (used === POOL_IDS) {
    randomFillSync(pool);
    used = 0;
  }
  const id = pool.toString('hex', used * 16, ++used * 16);
  return id === '0'.repeat(32) ? newTraceId() : id;
}
