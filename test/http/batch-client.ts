import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';

export type OutcomeLine = Readonly<Record<string, unknown>>;

/** A batch that is written and read by hand. */
export interface OpenBatch {
  readonly outgoing: ClientRequest;
  /** Its head comes before any outcome. */
  readonly incoming: IncomingMessage;
  /** The next outcome; undefined after the last. */
  next(): Promise<OutcomeLine | undefined>;
  /** All that are left. */
  rest(): Promise<OutcomeLine[]>;
}

/** Opens a batch over a connection of its own, and waits for the head of the answer. */
export async function openBatch(port: number, headers: Readonly<Record<string, string>> = {}): Promise<OpenBatch> {
  const outgoing = httpRequest({
    host: '127.0.0.1',
    port,
    method: 'POST',
    path: '/messages:batch',
    headers,
    agent: false,
  });
  outgoing.on('error', () => undefined);
  outgoing.flushHeaders();
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  incoming.on('error', () => undefined);
  const lines = createInterface({ input: incoming })[Symbol.asyncIterator]();
  const next = async (): Promise<OutcomeLine | undefined> => {
    const { done, value } = await lines.next();
    return done === true ? undefined : (JSON.parse(value) as OutcomeLine);
  };
  return {
    outgoing,
    incoming,
    next,
    async rest() {
      const all: OutcomeLine[] = [];
      for (let line = await next(); line !== undefined; line = await next()) all.push(line);
      return all;
    },
  };
}

export function lineOf(fields: object): string {
  return `${JSON.stringify(fields)}\n`;
}
