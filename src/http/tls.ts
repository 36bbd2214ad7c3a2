import { randomBytes } from 'node:crypto';
import type { RequestListener, Server } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import { Server as TlsServer, type TLSSocket } from 'node:tls';
import type { CallerRequest } from '../identity/caller.js';
import { describeCertificate } from '../identity/certificates.js';
import { contextOptions, type TlsMaterial } from '../tls/files.js';

/** Of a server that asks for client certificates: without authorities of its own it would take the public ones. */
export type MutualTlsMaterial = TlsMaterial & { readonly clientCa: string };

/**
 * A server that asks for a client certificate and takes the handshake on without a valid one, so that such a caller gets
 * an answer that they can read, and callers with other credentials are served too.
 */
export function createTlsServer(
  options: ServerOptions,
  material: MutualTlsMaterial,
  listener: RequestListener,
): Server {
  const server = createServer({
    ...options,
    ...contextOptions(material),
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.on('request', listener);
  // Node's types have the two kinds of server apart; what is not TLS about them is the same.
  return server;
}

/** New handshakes use the new material; sessions that were made with the old one cannot be resumed. */
export function replaceMaterial(server: Server, material: MutualTlsMaterial): void {
  if (!(server instanceof TlsServer)) throw new Error('The server does not speak TLS.');
  server.setSecureContext(contextOptions(material));
  server.setTicketKeys(randomBytes(48));
}

/** What TLS has established about a peer. Read from the connection once a request, at no cost after the first. */
export function readCertificate(socket: TLSSocket): Pick<CallerRequest, 'certificate' | 'certificateFault'> {
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
