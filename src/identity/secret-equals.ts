import { createHash, timingSafeEqual } from 'node:crypto';

/** Constant-time equality of secrets of any length (the digests are compared). */
export function secretEquals(known: string, given: string | Uint8Array): boolean {
  const digest = (value: string | Uint8Array) => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(known), digest(given));
}
