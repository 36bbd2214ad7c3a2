import type { EmqxApi } from '../api.js';

/** Who waits for a plan to be carried out. */
export interface Audience {
  /** Is told what takes long, line by line. */
  say(line: string): void;
  /** Ends the work before its next step; what has begun is finished, so that EMQX is left in a state that works. */
  readonly signal: AbortSignal;
}

/** One change to EMQX. Nothing of it happens before `apply`. */
export interface Step {
  /** What is changed, for the person who installs. */
  readonly what: string;
  /** What it is changed from and to, line by line, where that helps. */
  readonly detail?: readonly string[];
  /**
   * Makes the change.
   *
   * @returns what is left to do by hand, where EMQX refused a part that only its administrator may do.
   * @throws EmqxApiError, InstallError
   */
  apply(api: EmqxApi, audience: Audience): Promise<string | undefined>;
}

export interface Plan {
  /** In the order in which they are safe: each leaves EMQX in a state that works. */
  readonly steps: readonly Step[];
  /** What was asked for and cannot be done from here; until somebody does it, the work is not finished. */
  readonly left: readonly string[];
  /** What Tightbeam leaves alone on purpose, and why somebody should look at it. */
  readonly notes?: readonly string[];
}

/** Why an installation stopped, and what to do. What was changed before stays; running it again goes on from there. */
export class InstallError extends Error {
  override readonly name = 'InstallError';
}

export const NOTHING: Plan = { steps: [], left: [] };

export function joined(...plans: readonly Plan[]): Plan {
  const notes = plans.flatMap((plan) => plan.notes ?? []);
  return {
    steps: plans.flatMap(({ steps }) => steps),
    left: plans.flatMap(({ left }) => left),
    ...(notes.length > 0 && { notes }),
  };
}

/** A step which always succeeds or throws. */
export function step(what: string, detail: readonly string[], change: (api: EmqxApi) => Promise<void>): Step {
  return {
    what,
    detail,
    async apply(api) {
      await change(api);
      return undefined;
    },
  };
}

/** One line for each setting that differs. */
export function difference(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): string[] {
  return Object.keys(after)
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
    .map(
      (key) => `${key}: ${key in before ? JSON.stringify(before[key]) : 'not set'} -> ${JSON.stringify(after[key])}`,
    );
}
