/**
 * Where a part says what is no event of a client: that it started, that a peer is unreachable, that something inside
 * failed. Fields hold no secret and no payload. Never throws.
 */
export type Diagnostics = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;
