import { isHealthy, type Diagnosis } from '../brokers/finding.js';

/** What a doctor found, a line each or as JSON. Sets the exit code where something has failed. */
export function printDiagnoses(diagnoses: readonly Diagnosis[], json: boolean): void {
  const text = json ? JSON.stringify(diagnoses, undefined, 2) : diagnoses.map(describe).join('\n');
  process.stdout.write(`${text}\n`);
  if (!isHealthy(diagnoses)) process.exitCode = 1;
}

function describe({ check, status, message, mend }: Diagnosis): string {
  const line = `${status.padEnd(4)}  ${check.padEnd(14)}  ${message}`;
  return mend === undefined ? line : `${line}\n${' '.repeat(22)}${mend}`;
}
