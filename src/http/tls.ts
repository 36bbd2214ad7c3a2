import { randomBytes } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import { createSecureContext, Server as TlsServer, type TLSSocket } from 'node:tls';
import type { CallerRequest } from '../identity/caller.js';
import { describeCertificate } from '../identity/certificates.js';

/** Everything in PEM. */
export interface TlsMaterial {
  /** The server's own certificate, with the intermediate ones, and its key. */
  readonly cert: string;
  readonly key: string;
  /** Certificates of the authorities whose client certificates are accepted. */
  readonly clientCa: string;
  /** Revocation lists, one of each authority. One that is missing or has expired leaves nobody in. */
  readonly clientCrl?: string;
}

/** Paths of the files that hold the material. */
export type TlsFiles =
  Readonly<Record<keyof TlsMaterial, string>> | Readonly<Record<Exclude<keyof TlsMaterial, 'clientCrl'>, string>>;

/**
 * A server that asks for a client certificate and takes the handshake on without a valid one, so that such a caller gets
 * an answer that they can read, and callers with other credentials are served too.
 */
export function createTlsServer(options: ServerOptions, material: TlsMaterial, listener: RequestListener): Server {
  const server = createServer({
    ...options,
    ...toContextOptions(material),
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.on('request', listener);
  // Node's types have the two kinds of server apart; what is not TLS about them is the same.
  return server;
}

/** New handshakes use the new material; sessions that were made with the old one cannot be resumed. */
export function replaceMaterial(server: Server, material: TlsMaterial): void {
  if (!(server instanceof TlsServer)) throw new Error('The server does not speak TLS.');
  server.setSecureContext(toContextOptions(material));
  server.setTicketKeys(randomBytes(48));
}

/** What TLS has established about a peer. Read from the connection once a request, at no cost after the first. */
export function readCertificate(
  socket: TLSSocket,
): Pick<CallerRequest, 'certificateFault'> & Pick<CallerRequest['peer'], 'certificate'> {
  let known = established.get(socket);
  if (known === undefined) {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) known = {};
    else if (socket.authorized) known = { certificate: describeCertificate(certificate) };
    else known = { certificateFault: String(socket.authorizationError) };
    established.set(socket, known);
  }
  return known;
}

const established = new WeakMap<TLSSocket, ReturnType<typeof readCertificate>>();

/**
 * Reads the files and proves that they fit together.
 *
 * @throws Error that says which file cannot be read, or what does not fit.
 */
export function loadTls(files: TlsFiles): TlsMaterial {
  const entries = Object.entries(files).map(([name, file]) => [name, readFileSync(file, 'utf8')]);
  const material = Object.fromEntries(entries) as TlsMaterial;
  try {
    createSecureContext(toContextOptions(material));
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`${Object.values(files).join(', ')} do not make a TLS server: ${message}`, { cause: error });
  }
  return material;
}

export interface TlsWatch {
  close(): void;
}

/**
 * Tells of new material when a file has changed, and of what is wrong with it, in which case the old one stays. The files
 * are looked at every `intervalMs`, by which links are followed too: that is how Kubernetes replaces them.
 */
export function watchTls(
  files: TlsFiles,
  listeners: { readonly changed: (material: TlsMaterial) => void; readonly failed: (error: unknown) => void },
  intervalMs = 5_000,
): TlsWatch {
  const reload = (): void => {
    try {
      listeners.changed(loadTls(files));
    } catch (error) {
      listeners.failed(error);
    }
  };
  const paths = Object.values(files);
  for (const path of paths) watchFile(path, { interval: intervalMs, persistent: false }, reload);
  return {
    close: () => {
      for (const path of paths) unwatchFile(path, reload);
    },
  };
}

function toContextOptions({ cert, key, clientCa, clientCrl }: TlsMaterial): ServerOptions {
  return { cert, key, ca: clientCa, ...(clientCrl !== undefined && { crl: clientCrl }), minVersion: 'TLSv1.2' };
}
