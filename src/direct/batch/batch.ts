import { setTimeout } from 'node:timers/promises';
import type { Identity } from '../../identity/identity.js';
import type { Events } from '../../observing/events.js';
import type { Trace } from '../../observing/tracing.js';
import type { Reason } from '../../reasons.js';
import type { Fault, Limits } from '../limits.js';
import type { SendDirectMessageInput } from '../request.js';
import type { DirectMessaging, Outcome } from '../send.js';
import { readLines, type Line } from './lines.js';
import { readMessage, type LineFault } from './message.js';
import { Room, type RoomLimits } from './room.js';

/** What became of one line. */
export interface LineOutcome extends Outcome {
  readonly line: number;
  readonly traceId: string;
  /** Of a line that could be read. */
  readonly clientId?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Of a line that could not: the field that breaks a rule, where it is one field's fault. `details` is the rule. */
  readonly field?: string | undefined;
}

/** A batch as whoever runs it sees it. */
export interface BatchJob {
  readonly sender: Identity;
  readonly trace: Trace;
  /** The body, as it comes. When it ends early, no more lines are read. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Takes an outcome. Settles once it is on its way to the caller: until then its line counts as under way. */
  tell(outcome: LineOutcome): Promise<void>;
  /** One more message of this sender: for how many milliseconds not yet, or 0. */
  readonly throttle: () => number;
  /** From then on no more lines are read, and those that wait for connections are withdrawn: its reason, a `Fault`, is their outcome. */
  readonly signal: AbortSignal;
}

/** What became of a batch. */
export interface BatchResult {
  /** Lines that were read: messages and broken ones. */
  readonly lines: number;
  readonly counts: ReadonlyMap<Reason, number>;
  /** Whether lines may have been left unread, because the signal said so. */
  readonly stopped: boolean;
  /** Or because of the batch itself. */
  readonly fault?: Fault | undefined;
}

export interface BatchOptions {
  readonly messaging: Pick<DirectMessaging, 'send'>;
  readonly events: Events;
  readonly limits: Limits;
  /** Most lines of a batch, empty ones too. */
  readonly maxLines?: number;
  readonly room?: RoomLimits;
  /** For lines that wait for their receivers to connect: apart, so that they hold up nobody else. */
  readonly waitingRoom?: RoomLimits;
}

const MAX_LINES = 100_000;
/** So many silent devices hold nobody else of the same batch up, and it is a tenth of what a replica may have pending. */
const ROOM: RoomLimits = { lines: 1_000, bytes: 8 * 1024 * 1024 };
/** The rate may be looked at again a little early, never much too late. */
const MAX_PAUSE_MS = 1_000;
const FIELD_OF: Partial<Record<Reason, string>> = {
  INVALID_CLIENT_ID: 'clientId',
  INVALID_TOPIC: 'topic',
  RESERVED_TOPIC: 'topic',
  PAYLOAD_TOO_LARGE: 'payload',
};
/** Beside the payload, which escapes of JSON or base64 may make twice as long. */
const FRAME_BYTES = 65_536;

/**
 * Sends the messages of a batch. Each is what a single one is: validated, authorized, limited, delivered and told of by
 * itself. Lines are read as there is room for more under way, and a line is under way until its outcome has been taken: who
 * takes none is sent nothing more for.
 */
export class Batches {
  readonly #options: BatchOptions;
  readonly #lineBytes: number;

  constructor(options: BatchOptions) {
    this.#options = options;
    this.#lineBytes = 2 * options.limits.payloadBytes + FRAME_BYTES;
  }

  /** Starts a batch. Its `result` never rejects unless reading the body or telling outcomes does. */
  start(job: BatchJob): Batch {
    return new Batch(job, this.#options, this.#lineBytes);
  }
}

/** One batch under way. */
export class Batch {
  readonly result: Promise<BatchResult>;
  readonly #job: BatchJob;
  readonly #options: BatchOptions;
  readonly #room: Room;
  readonly #waitingRoom: Room;
  readonly #counts = new Map<Reason, number>();
  #pausing = false;

  constructor(job: BatchJob, options: BatchOptions, lineBytes: number) {
    this.#job = job;
    this.#options = options;
    this.#room = new Room(options.room ?? ROOM);
    this.#waitingRoom = new Room(options.waitingRoom ?? ROOM);
    this.result = this.#run(lineBytes);
  }

  /** Whether it is busy by itself: with lines whose outcome has not been taken, or with the sender's rate. */
  get busy(): boolean {
    return this.#pausing || this.#room.lines > 0 || this.#waitingRoom.lines > 0;
  }

  async #run(lineBytes: number): Promise<BatchResult> {
    const { maxLines = MAX_LINES } = this.#options;
    const { chunks, signal } = this.#job;
    let lines = 0;
    let fault: Fault | undefined;
    await this.#pace();
    for await (const line of readLines(chunks, lineBytes)) {
      if (line.number > maxLines) {
        fault = { reason: 'PAYLOAD_TOO_LARGE', details: `A batch has at most ${maxLines} lines.` };
        break;
      }
      if (signal.aborted || !(await this.#begin(line))) break;
      lines += 1;
      await this.#pace();
    }
    const stopped = signal.aborted;
    await this.#room.empty();
    await this.#waitingRoom.empty();
    return { lines, counts: this.#counts, stopped, fault };
  }

  /** Until the sender's rate lets one more message through: the rest of the batch waits, and is refused nothing. */
  async #pace(): Promise<void> {
    const { throttle, signal } = this.#job;
    this.#pausing = true;
    for (let waitMs = throttle(); waitMs > 0 && !signal.aborted; waitMs = throttle()) {
      await setTimeout(Math.min(waitMs, MAX_PAUSE_MS), undefined, { signal }).catch(() => undefined);
    }
    this.#pausing = false;
  }

  /** Settles once the next line may be read; false where this one is not to be sent any more. */
  async #begin(line: Line): Promise<boolean> {
    const read = 'text' in line ? readMessage(line.text) : { rule: line.fault };
    const bytes = 'rule' in read ? 0 : read.payload.byteLength;
    await this.#room.take(bytes);
    if (this.#job.signal.aborted) {
      this.#room.free(bytes);
      return false;
    }
    let room = this.#room;
    const wait = (): boolean => {
      if (!this.#waitingRoom.tryTake(bytes)) return false;
      room.free(bytes);
      room = this.#waitingRoom;
      return true;
    };
    const outcome = 'rule' in read ? this.#broken(line, read) : this.#send(line.number, read, wait);
    void outcome.finally(() => {
      room.free(bytes);
    });
    return true;
  }

  async #send(line: number, input: SendDirectMessageInput, begin: () => boolean): Promise<void> {
    const { sender, trace, signal } = this.#job;
    const { clientId, idempotencyKey } = input;
    const span = trace.detach('SendDirectMessage');
    const outcome = await this.#options.messaging.send(sender, input, span, { signal, begin });
    span.end(outcome.reason);
    // Of what was refused for what it holds it is told where.
    const field = outcome.written === undefined ? FIELD_OF[outcome.reason] : undefined;
    await this.#tell({ ...outcome, line, traceId: span.traceId, clientId, idempotencyKey, field });
  }

  async #broken({ number, ...line }: Line, { field, rule }: LineFault): Promise<void> {
    const { sender, trace } = this.#job;
    const reason = 'tooLong' in line ? 'PAYLOAD_TOO_LARGE' : 'INVALID_PARAMETER';
    const { traceId } = trace;
    this.#options.events.tell('SendDirectMessage', {
      traceId,
      sender,
      message: { targetClientId: '', topic: '' },
      reason,
      details: `Line ${number}${field === undefined ? '' : `, ${field}`}: ${rule}`,
      durationMs: 0,
    });
    await this.#tell({ line: number, traceId, reason, field, details: rule });
  }

  #tell(outcome: LineOutcome): Promise<void> {
    this.#counts.set(outcome.reason, (this.#counts.get(outcome.reason) ?? 0) + 1);
    return this.#job.tell(outcome);
  }
}
