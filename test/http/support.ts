import { expect } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import { once } from 'node:events';
import { request as httpRequest, type Agent, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { EmqxOperations } from '../../src/brokers/emqx/operations.js';
import { DEFAULT_LIMITS } from '../../src/direct/limits.js';
import { DirectMessaging, type DirectMessagingOptions } from '../../src/direct/send.js';
import { DataPlane, type DataPlaneOptions } from '../../src/http/data-plane.js';
import { createOperations } from '../../src/http/operations.js';
import { SigV4Authenticator } from '../../src/identity/sigv4/authenticator.js';
import { Sha256 } from '../../src/identity/sigv4/sha256.js';
import { BrokerFault, type BrokerOperations, type Publisher } from '../../src/operations/broker.js';
import { RecentEvents } from '../../src/observing/recent.js';
import { Viewing } from '../../src/operations/viewing.js';
import { DataPlaneOperations } from '../../src/operations/data-plane-operations.js';
import { Devices } from '../../src/operations/devices.js';
import { PolicyQuestions } from '../../src/operations/policy-questions.js';
import type { Authorizer } from '../../src/policy/authorizer.js';
import { buildPolicySet, type PolicySet } from '../../src/policy/policy-set.js';
import { REASONS, type Reason } from '../../src/reasons.js';
import { noTracing } from '../../src/observing/tracing.js';
import { fakeAuthorizer } from '../exhook/fakes.js';
import { FakeDelivery, RecordedEvents } from '../fakes.js';

export const REGION = 'us-east-1';
export const CREDENTIALS = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'a secret of the tests' };

export interface TestServer {
  readonly port: number;
  readonly dataPlane: DataPlane;
  readonly events: RecordedEvents;
  /** Resources on which nobody may do anything, for instance `client/lock-17`. */
  readonly denied: Set<string>;
  readonly delivery: FakeDelivery;
  /** What `GET /tightbeam/v1/events` tells of. */
  readonly recent: RecentEvents;
  /** The wall clock of the server, in milliseconds since 1970; starts as the real one. */
  now: () => number;
}

export interface ServerOptions extends Partial<DataPlaneOptions> {
  /** What answers the operations beside SendDirectMessage. By default nothing can be asked, and nothing is published. */
  readonly behind?: { readonly broker: BrokerOperations; readonly publisher: Publisher };
  /** The policies that questions are about; nobody may do anything by default. */
  readonly policies?: () => PolicySet;
  /** Decides in place of `denied`. */
  readonly authorizer?: Authorizer;
}

const NOTHING_BEHIND = {
  broker: new EmqxOperations(undefined),
  publisher: { publish: () => Promise.reject(new BrokerFault('BROKER_UNAVAILABLE', 'There is no broker.')) },
};

const RULES = { receiveOnSubscribe: 'every', hashMatchesParent: true } as const;
const NO_POLICIES = buildPolicySet(
  { policies: new Map(), principals: '{"principals":{}}' },
  { partition: 'aws', region: REGION, accountId: '000000000000' },
);

/** A data plane on a free port, real but for the broker and the policies behind it. */
export async function startServer(
  { behind = NOTHING_BEHIND, policies = () => NO_POLICIES, authorizer: given, ...options }: ServerOptions = {},
  sending: Partial<DirectMessagingOptions> = {},
): Promise<TestServer> {
  const events = new RecordedEvents();
  const denied = new Set<string>();
  const authorizer = given ?? fakeAuthorizer(({ resource }) => denied.has(resource));
  const delivery = new FakeDelivery();
  const clock = (): number => performance.now();
  const common = { authorizer, events, limits: DEFAULT_LIMITS, clock };
  const messaging = new DirectMessaging({ ...common, delivery, ...sending });
  const questions = new PolicyQuestions({ ...common, current: policies, rules: RULES });
  const recent = new RecentEvents();
  const viewing = new Viewing({
    ...common,
    recent,
    status: () => ({ service: { ready: true } }),
    statistics: () => ({}),
  });
  const others = { ...common, ...behind };
  const devices = new Devices({ ...others, recent, current: policies });
  const server = { events, denied, delivery, recent, now: () => Date.now() };
  const accessKeys = {
    secretsOf: (id: string, token?: string) =>
      id === CREDENTIALS.accessKeyId && token === undefined ? [CREDENTIALS.secretAccessKey] : [],
  };
  const dataPlane = new DataPlane({
    operations: createOperations(
      { messaging, others: new DataPlaneOperations(others), questions, viewing, devices },
      common,
    ),
    authenticators: [new SigV4Authenticator({ accessKeys, region: REGION, now: () => server.now() })],
    events,
    tracing: noTracing,
    payloadBytes: DEFAULT_LIMITS.payloadBytes,
    ...options,
  });
  const port = await dataPlane.start({ host: '127.0.0.1', port: 0 });
  return Object.assign(server, { port, dataPlane });
}

export interface Sent {
  readonly method?: string;
  /** As on the wire: percent-encoded, without the query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[]>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface Received {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
}

export interface Signing {
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  readonly region?: string;
  readonly service?: string;
  readonly signingDate?: Date;
}

/** Signs with AWS's own signer: a request ready for the wire. */
export async function sign(port: number, sent: Sent, signing: Signing = {}): Promise<Sent> {
  const { credentials = CREDENTIALS, region = REGION, service = 'iotdata', signingDate = new Date() } = signing;
  const signer = new SignatureV4({ credentials, region, service, sha256: Sha256 });
  const request = await signer.sign(unsigned(port, sent), { signingDate });
  return { ...sent, headers: request.headers };
}

/** Presigns with AWS's own signer. */
export async function presign(port: number, sent: Sent, expiresIn: number, signing: Signing = {}): Promise<Sent> {
  const { credentials = CREDENTIALS, region = REGION, service = 'iotdata', signingDate = new Date() } = signing;
  const signer = new SignatureV4({ credentials, region, service, sha256: Sha256 });
  const request = await signer.presign(unsigned(port, sent), { signingDate, expiresIn });
  return { ...sent, headers: request.headers, query: request.query as Record<string, string> };
}

function unsigned(port: number, { method = 'POST', path, query = {}, headers = {}, body }: Sent) {
  const host = `127.0.0.1:${port}`;
  return {
    protocol: 'http:',
    hostname: '127.0.0.1',
    port,
    method,
    path,
    query: { ...query },
    headers: { host, ...headers },
    body,
  };
}

/** Sends a request as it is, and reads the answer as JSON. */
export async function exchange(port: number, sent: Sent, agent?: Agent): Promise<Received> {
  const { method = 'POST', path, query = {}, headers = {}, body = '' } = sent;
  const target = `${path}${queryText(query)}`;
  const outgoing = httpRequest({ host: '127.0.0.1', port, method, path: target, headers, ...(agent && { agent }) });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const received = await text(incoming);
  const parsed = received === '' ? {} : (JSON.parse(received) as Record<string, unknown>);
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: parsed };
}

/** Signs and sends. */
export async function call(port: number, sent: Sent, signing?: Signing): Promise<Received> {
  return exchange(port, await sign(port, sent, signing));
}

export function queryText(query: Readonly<Record<string, string | string[]>>): string {
  const pairs = Object.entries(query).flatMap(([name, values]) =>
    [values].flat().map((value) => `${encode(name)}=${encode(value)}`),
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

export function encode(part: string): string {
  return encodeURIComponent(part).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** A bare connection, for what no HTTP client would send. */
export async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** Reads a connection to its end, and takes the one HTTP answer on it apart. */
export async function readAnswer(socket: Socket): Promise<Received> {
  const all = await text(socket);
  const [head = '', body = ''] = all.split('\r\n\r\n', 2);
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  return { status: Number(statusLine.split(' ')[1]), headers, body: JSON.parse(body) as Record<string, unknown> };
}

/** Every error has the shape of AWS's errors, and says of itself what the table of reasons says. */
export function expectError({ status, headers, body }: Received, reason: Reason): void {
  const row = REASONS[reason];
  expect({ reason, status, type: headers['x-amzn-errortype'], message: body['message'] }).toEqual({
    reason,
    status: 'http' in row ? row.http : undefined,
    type: 'exception' in row ? row.exception : undefined,
    message: expect.stringContaining(row.message),
  });
  expect(headers['content-type']).toBe('application/json');
  expect(body['traceId']).toMatch(/^[0-9a-f]{32}$/);
  expect(headers['x-amzn-requestid']).toBe(body['traceId']);
  expect(JSON.stringify(body)).not.toMatch(/node_modules|\bat .*:\d+:\d+/);
}

/** A message that is as it should be. */
export const MESSAGE = {
  path: '/connections/lock-17/messages',
  query: { topic: 'cmd', confirmation: 'true' },
  body: 'open',
};
export const HEAD = 'POST /connections/lock-17/messages?topic=cmd HTTP/1.1\r\nHost: x\r\n';

/** Exactly one event says what happened, and the server still works. */
export async function expectReportedOnce({ events, port }: TestServer, reason: Reason, traceId?: unknown) {
  expect(events.told).toEqual([expect.objectContaining({ reason, ...(traceId !== undefined && { traceId }) })]);
  expect((await call(port, MESSAGE)).status).toBe(200);
}
