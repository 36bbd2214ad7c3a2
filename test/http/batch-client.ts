import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import type { CallerAuthenticator } from '../../src/identity/caller.js';
import { SigV4Authenticator } from '../../src/identity/sigv4/authenticator.js';
import type { Reason } from '../../src/reasons.js';
import { CREDENTIALS, REGION, startServer, type ServerOptions, type TestServer } from './support.js';

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
    const read: IteratorResult<string, undefined> = await lines.next();
    return read.done === true ? undefined : (JSON.parse(read.value) as OutcomeLine);
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

export const PATH = '/messages:batch';
export const OPEN = { clientId: 'lock-17', topic: 'cmd', confirmation: true };
export const MIB = 1024 * 1024;

/** Knows its caller by the head alone, as a token or a client certificate do. */
const byHead: CallerAuthenticator = {
  scheme: 'head',
  authenticate: ({ peer, headers }) =>
    headers.has('x-caller') ? { ok: true, identity: { ...peer, jwtSubject: 'backend' } } : undefined,
};
export const CALLER = { 'x-caller': 'backend' };

/** Takes signed batches, and those of `CALLER`. */
export function startBatchServer(options: ServerOptions = {}): Promise<TestServer> {
  const accessKeys = {
    secretsOf: (id: string) => (id === CREDENTIALS.accessKeyId ? [CREDENTIALS.secretAccessKey] : []),
  };
  const sigv4 = new SigV4Authenticator({ accessKeys, region: REGION, now: () => Date.now() });
  return startServer({ authenticators: [sigv4, byHead], ...options });
}

/** Until the test says so, the outcome of every message is open. */
export function hold({ delivery }: TestServer): {
  readonly settle: (reason: Reason) => void;
  readonly asked: () => number;
} {
  const waiting: ((reason: Reason) => void)[] = [];
  let asked = 0;
  delivery.answer = () => {
    asked += 1;
    return new Promise((resolve) => waiting.push(resolve));
  };
  return {
    settle: (reason) => {
      for (const one of waiting.splice(0)) one(reason);
    },
    asked: () => asked,
  };
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
