/**
 * Three-valued truth. UNKNOWN is what a comparison yields that cannot be made (a variable without a value, a fact of
 * the wrong type): an Allow that is UNKNOWN does not match, a Deny that is UNKNOWN denies.
 */
export const FALSE = 0;
export const TRUE = 1;
export const UNKNOWN = 2;
export type Tri = typeof FALSE | typeof TRUE | typeof UNKNOWN;

/** NOT: UNKNOWN stays UNKNOWN. */
export function not(value: Tri): Tri {
  return value === UNKNOWN ? UNKNOWN : value === TRUE ? FALSE : TRUE;
}

/** AND over items: FALSE wins, then UNKNOWN. TRUE for no items. */
export function every<T>(items: readonly T[], test: (item: T) => Tri): Tri {
  let result: Tri = TRUE;
  for (const item of items) {
    const value = test(item);
    if (value === FALSE) return FALSE;
    if (value === UNKNOWN) result = UNKNOWN;
  }
  return result;
}

/** OR over items: TRUE wins, then UNKNOWN. FALSE for no items. */
export function some<T>(items: readonly T[], test: (item: T) => Tri): Tri {
  let result: Tri = FALSE;
  for (const item of items) {
    const value = test(item);
    if (value === TRUE) return TRUE;
    if (value === UNKNOWN) result = UNKNOWN;
  }
  return result;
}
