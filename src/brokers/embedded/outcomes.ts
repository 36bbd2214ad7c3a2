import { randomBytes } from 'node:crypto';
import {
  joinOutcomeReports,
  OUTCOME_REPORTS,
  OUTCOME_REPORTS_TOPIC,
  writeOutcomeReport,
} from '../../exhook/outcome-report.js';
import type { Reason } from '../../reasons.js';
import type { Diagnostics } from '../../observing/diagnostics.js';
import type { ExhookClient } from './exhook-client.js';
import type { PendingMessage } from '../direct/message.js';
import { pairsOf } from '../direct/user-properties.js';

/** Longest wait of an outcome, in milliseconds: not felt in a log, and at most 10 calls a second under light load. */
const LINGER_MS = 100;
/** Most outcomes in one call: enough that the call, which costs as much as some 30 of them, no longer counts. */
export const BATCH = 250;
/** Characters of outcomes after which a call goes out as it is: topics can be long, and gRPC takes 4 MiB. */
const BATCH_CHARACTERS = 131_072;
/** Most outcomes that wait while the provider is slow. What comes on top is lost and counted. */
export const MOST_WAITING = 10_000;

/**
 * Tells the hook provider what became of direct messages, many in one call and one call at a time. A call that gets no
 * answer is not made again: the outcomes in it may have been recorded.
 */
export class Outcomes {
  readonly #exhook: ExhookClient;
  readonly #node: string;
  readonly #diagnostics: Diagnostics;
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #calling: Promise<boolean> | undefined;
  #lost = 0;

  constructor(exhook: ExhookClient, node: string, diagnostics: Diagnostics) {
    this.#exhook = exhook;
    this.#node = node;
    this.#diagnostics = diagnostics;
  }

  add({ sender, packet, qos, since }: PendingMessage, reason: Reason, details?: string): void {
    const { origin } = sender;
    if (origin === undefined || !this.#exhook.wants('message.dropped', OUTCOME_REPORTS_TOPIC)) return;
    if (this.#waiting.length >= MOST_WAITING) {
      this.#lost++;
      return;
    }
    const traceparent = pairsOf(packet.properties?.userProperties).find(([name]) => name === 'traceparent')?.[1];
    this.#waiting.push(
      writeOutcomeReport({
        reason,
        topic: packet.topic,
        from: origin.clientId,
        ...(origin.username !== undefined && { username: origin.username }),
        peerhost: origin.sourceIp,
        durationMs: Math.round((performance.now() - since) * 1000) / 1000,
        endedAt: Date.now(),
        qos,
        payloadBytes: packet.payload.length,
        ...(traceparent !== undefined && { traceparent }),
        ...(details !== undefined && { details }),
      }),
    );
    this.#schedule();
  }

  /** Tells what waits. Resolves when it is told, or the provider does not answer. */
  async flush(): Promise<void> {
    while (this.#calling !== undefined || this.#waiting.length > 0) {
      const answered = await (this.#calling ?? this.#tell());
      if (!answered) this.#waiting = [];
    }
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#calling !== undefined || this.#waiting.length === 0) return;
    if (this.#waiting.length >= BATCH) void this.#tell();
    else this.#timer ??= setTimeout(() => void this.#tell(), LINGER_MS);
  }

  /** True where the provider answered. */
  #tell(): Promise<boolean> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#calling = this.#call(this.#take()).finally(() => {
      this.#calling = undefined;
      this.#schedule();
    });
    return this.#calling;
  }

  #take(): string[] {
    let characters = 0;
    const end = this.#waiting.findIndex((report, index) => {
      if (index === BATCH || characters > BATCH_CHARACTERS) return true;
      characters += report.length;
      return false;
    });
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end);
  }

  async #call(reports: readonly string[]): Promise<boolean> {
    if (this.#lost > 0) {
      this.#diagnostics('warn', 'The hook provider is too slow: outcomes of direct messages were lost.', {
        lost: this.#lost,
      });
      this.#lost = 0;
    }
    const answer = await this.#exhook.call('OnMessageDropped', {
      message: {
        node: this.#node,
        id: randomBytes(16).toString('hex').toUpperCase(),
        qos: 0,
        from: this.#node,
        topic: OUTCOME_REPORTS_TOPIC,
        payload: joinOutcomeReports(reports),
        timestamp: String(Date.now()),
        headers: {},
      },
      reason: OUTCOME_REPORTS,
    });
    return answer !== undefined;
  }
}
