import { randomBytes } from 'node:crypto';
import { closeSync, createReadStream, existsSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isReason, REASONS, type Reason } from '../../reasons.js';

/** An outcome as the service tells it, its line that of the file. */
export interface Outcome {
  readonly line: number;
  readonly idempotencyKey?: string;
  readonly status: number;
  readonly reason: Reason;
}

/** The file of the outcomes of one batch: what `--resume` continues from. */
export class Journal {
  /** Names this batch: the identities of lines that bring none begin with it. */
  readonly batch: string;
  /** Identities that are settled: a repeat would change nothing. */
  readonly settled: ReadonlySet<string>;
  readonly #file: number;

  private constructor(file: number, batch: string, settled: ReadonlySet<string>) {
    this.#file = file;
    this.batch = batch;
    this.settled = settled;
  }

  /** @throws Error where there is one already: it is what another batch came to. */
  static begin(path: string): Journal {
    if (existsSync(path)) {
      throw new Error(`${path} is there already: --resume continues that batch, --outcomes names another file.`);
    }
    const batch = randomBytes(8).toString('hex');
    const journal = new Journal(openSync(path, 'ax'), batch, new Set());
    journal.#write(`${JSON.stringify({ batch })}\n`);
    return journal;
  }

  /** @throws Error where the file cannot be read, or is none. */
  static async resume(path: string): Promise<Journal> {
    const settled = new Set<string>();
    let batch: string | undefined;
    for await (const text of createInterface({ input: createReadStream(path) })) {
      const entry = parse(text);
      if (batch === undefined) {
        if (typeof entry?.['batch'] !== 'string') throw new Error(`${path} has not the outcomes of a batch.`);
        batch = entry['batch'];
      } else if (entry !== undefined) {
        const { reason, idempotencyKey } = entry;
        if (typeof idempotencyKey !== 'string' || typeof reason !== 'string' || !isReason(reason)) continue;
        if (REASONS[reason].retry === 'needless') settled.add(idempotencyKey);
      }
    }
    if (batch === undefined) throw new Error(`${path} has not the outcomes of a batch.`);
    const file = openSync(path, 'a');
    // A run that was cut off may have left half a line.
    const journal = new Journal(file, batch, settled);
    journal.#write('\n');
    return journal;
  }

  add(outcomes: readonly object[]): void {
    if (outcomes.length > 0) this.#write(outcomes.map((one) => `${JSON.stringify(one)}\n`).join(''));
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(text: string): void {
    writeSync(this.#file, text);
  }
}

/** Undefined for half a line. */
function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
