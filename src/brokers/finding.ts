/** What one check found. `mend` says what to do; a finding without it is only good to know. */
export interface Finding {
  readonly status: 'ok' | 'warn' | 'fail';
  readonly message: string;
  readonly mend?: string;
}

export const ok = (message: string): Finding => ({ status: 'ok', message });
export const warn = (message: string, mend: string): Finding => ({ status: 'warn', message, mend });
export const fail = (message: string, mend: string): Finding => ({ status: 'fail', message, mend });

/** The problems, or one line that there are none. */
export function unless(problems: readonly Finding[], message: string): readonly Finding[] {
  return problems.length > 0 ? problems : [ok(message)];
}

/** Words with commas, for messages. */
export const list = (words: readonly string[]): string => words.join(', ');

/** A finding, with the name of the check. */
export interface Diagnosis extends Finding {
  readonly check: string;
}

/** True where nothing has failed; warnings do not count. */
export function isHealthy(diagnoses: readonly Diagnosis[]): boolean {
  return diagnoses.every(({ status }) => status !== 'fail');
}
