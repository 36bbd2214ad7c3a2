/**
 * What it costs to find out who calls: requests a second with each way to authenticate, against the same server without.
 * The server is a process of its own, and requests are signed beforehand, so that it is the server that is measured.
 */
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { Authority } from '../test/http/pki.js';
import type { Given, HttpPorts } from './http/protocol.js';
import { compare, type Figures } from './main-job/measure.js';
import type { Way } from './main-job/ways.js';
import { forkServer } from './rig/fork-server.js';
import { HttpConnections, signedRequest } from './rig/http-client.js';
import { ACCESS_KEY } from './rig/setting.js';
import { print, verdict } from './report.js';

const CONCURRENCY = 32;
const ROUNDS = 7;
/** Requests that differ, so that no two have the same signature soon after each other. */
const DIFFERENT = 500;
const ISSUER = 'https://issuer.example.com';
const ALGORITHMS = ['ES256', 'RS256'];
const LEAST_SIGV4 = 0.88;

/** @param args `--quick`: less time for each figure, for a try */
export async function run(args: string[]): Promise<void> {
  const milliseconds = args.includes('--quick') ? 200 : 1_000;
  const folder = mkdtempSync(join(tmpdir(), 'tightbeam-bench-http-'));
  try {
    const authority = new Authority(folder, 'ca');
    const own = authority.issue('/CN=server');
    const client = authority.issue('/CN=backend');
    const tokens = await createTokens();
    const server = forkServer('http');
    const given: Given = {
      accessKey: ACCESS_KEY,
      tls: { cert: read(own.cert), key: read(own.key), clientCa: read(authority.certFile) },
      jwks: tokens.jwks,
      issuer: ISSUER,
    };
    server.send(given);
    const [ports] = (await once(server, 'message')) as [HttpPorts];
    const tls = { ca: read(authority.certFile), cert: read(client.cert), key: read(client.key) };
    const { ca } = tls;
    const base = over('nobody', ports.nobody, plain);
    const overTls = over('nobody, over TLS', ports.nobodyOverTls, plain, { ca });
    const sigv4 = over('SigV4', ports.sigv4, signed);
    const ways = [
      base,
      sigv4,
      ...tokens.all.map(([alg, token]) => over(`JWT, ${alg}`, ports.jwt, (port) => bearing(port, token))),
      overTls,
      over('mutual TLS', ports.mutualTls, plain, tls),
    ];
    const cpuMicros = async (): Promise<number> => {
      server.send('cpu');
      const [micros] = (await once(server, 'message')) as [number];
      return micros;
    };
    const results = await compare(ways, { concurrency: CONCURRENCY, milliseconds, rounds: ROUNDS, cpuMicros });
    await Promise.all(ways.map((way) => way.close()));
    server.disconnect();
    await once(server, 'exit');
    show(results, base);
    verdict('SigV4, share of the rate without', ratioOf(results, sigv4, base), 'at least', LEAST_SIGV4);
    verdict(
      "SigV4, server's CPU a request against without",
      cpuRatio(results, sigv4, base),
      'at most',
      1 / LEAST_SIGV4,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One kept-alive connection a slot; the handshakes are made before it is measured. */
function over(
  name: string,
  port: number,
  create: (port: number, index: number) => Promise<Buffer>,
  tls?: ConnectionOptions,
): Way {
  const connections = new HttpConnections();
  let requests: readonly Buffer[] = [];
  let sent = 0;
  return {
    name,
    async prepare(slots) {
      await connections.open(slots, [port], tls);
      requests = await Promise.all(Array.from({ length: DIFFERENT }, (_, index) => create(port, index)));
    },
    async send(slot) {
      sent += 1;
      const request = requests[sent % DIFFERENT];
      const status = request && (await connections.request(slot, request));
      if (status !== 200) throw new Error(`${name}: HTTP status ${String(status)}`);
    },
    close() {
      connections.close();
      return Promise.resolve();
    },
  };
}

function signed(port: number, index: number): Promise<Buffer> {
  const payload = JSON.stringify({ command: 'open', door: `front-${index}`, seconds: 30 });
  return signedRequest(port, { clientId: `lock-${index}`, topic: 'cmd/open', payload });
}

/** The signed request without what the signature put into it. */
async function plain(port: number, index: number): Promise<Buffer> {
  const text = (await signed(port, index)).toString();
  return Buffer.from(text.replace(/^(?:authorization|x-amz-[a-z0-9-]+): .*\r\n/gim, ''));
}

async function bearing(port: number, token: string): Promise<Buffer> {
  const text = (await plain(port, 0)).toString();
  return Buffer.from(text.replace('\r\n', `\r\nauthorization: Bearer ${token}\r\n`));
}

async function createTokens(): Promise<{ readonly jwks: object; readonly all: (readonly [string, string])[] }> {
  const keys: object[] = [];
  const all: (readonly [string, string])[] = [];
  for (const alg of ALGORITHMS) {
    const { privateKey, publicKey } = await generateKeyPair(alg);
    const kid = randomBytes(4).toString('hex');
    keys.push({ ...(await exportJWK(publicKey)), kid, alg });
    const token = new SignJWT({ sub: 'backend' }).setProtectedHeader({ alg, kid }).setIssuer(ISSUER);
    all.push([alg, await token.setAudience('tightbeam').setExpirationTime('1h').sign(privateKey)]);
  }
  return { jwks: { keys }, all };
}

function show(results: ReadonlyMap<Way, Figures>, base: Way): void {
  print(
    `requests a second (p50 / p99 in milliseconds), ${CONCURRENCY} at a time; share of the server without authentication; ` +
      "the server's CPU a request in microseconds",
  );
  for (const [way, { perSecond, p50, p99, serverMicros = NaN }] of results) {
    const figures = `${Math.round(perSecond).toLocaleString('en')} (${p50.toFixed(2)} / ${p99.toFixed(2)})`;
    const share = ratioOf(results, way, base).toFixed(2);
    print(`${way.name.padEnd(20)}${figures.padEnd(28)}${share}${serverMicros.toFixed(0).padStart(8)}`);
  }
}

function ratioOf(results: ReadonlyMap<Way, Figures>, way: Way, base: Way): number {
  return (results.get(way)?.perSecond ?? NaN) / (results.get(base)?.perSecond ?? NaN);
}

function cpuRatio(results: ReadonlyMap<Way, Figures>, way: Way, base: Way): number {
  return (results.get(way)?.serverMicros ?? NaN) / (results.get(base)?.serverMicros ?? NaN);
}

function read(file: string): string {
  return readFileSync(file, 'utf8');
}
