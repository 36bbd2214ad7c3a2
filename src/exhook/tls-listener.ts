import { ServerCredentials, type ConnectionInjector, type Server as GrpcServer } from '@grpc/grpc-js';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import type { Diagnostics } from '../observing/diagnostics.js';
import { certificatesIn, contextOptions, type TlsMaterial } from '../tls/files.js';

/** How long calls under way may take when their connection is to end, in milliseconds. */
const DRAIN_MS = 5_000;

/** How long a handshake may take, in milliseconds. */
const HANDSHAKE_MS = 10_000;

/**
 * The TLS side of the hook provider: it makes the handshakes, refuses who is not to ask, and hands the others to the gRPC
 * server. It is not the library's own TLS, because that one refuses without a word, and takes renewed certificates only
 * through an interface that it calls experimental.
 */
export class TlsListener {
  readonly #tcp: TcpServer;
  readonly #connections = new Set<Socket>();
  readonly #grpc: ConnectionInjector;
  readonly #diagnostics: Diagnostics;
  #material: TlsMaterial;
  /** How often an authority has been taken away. What began before the last time counts for nothing. */
  #withdrawals = 0;
  /** Makes the handshakes with the material in force. Each material has its own, so no session outlives it. */
  #tls: TlsServer;

  constructor(grpc: GrpcServer, material: TlsMaterial, diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
    this.#grpc = grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#material = material;
    this.#tls = this.#handshakesWith(material);
    this.#tcp = createTcpServer((socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
      this.#tls.emit('connection', socket);
    });
  }

  /** Listens; port 0 takes a free one. Rejects where it cannot. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#tcp.once('error', reject);
      this.#tcp.listen({ host, port }, () => {
        this.#tcp.off('error', reject);
        resolve((this.#tcp.address() as AddressInfo).port);
      });
    });
  }

  /**
   * Uses new material for the handshakes from now on. Connections go on, unless an authority is there no more: then each
   * ends with the calls under way, so that who is no longer trusted is out. EMQX connects again; a call that it makes at
   * that very moment gets no answer.
   */
  replace(material: TlsMaterial): void {
    const authorities = certificatesIn(material.clientCa ?? '');
    const isWithdrawn = certificatesIn(this.#material.clientCa ?? '').some((one) => !authorities.includes(one));
    this.#material = material;
    if (isWithdrawn) this.#withdrawals++;
    this.#tls = this.#handshakesWith(material);
    if (isWithdrawn) this.#grpc.drain(DRAIN_MS);
  }

  /** Takes no more connections. */
  close(): void {
    this.#tcp.close();
  }

  /** Ends those that are left. */
  destroy(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  #handshakesWith(material: TlsMaterial): TlsServer {
    const tls = createTlsServer({
      ...contextOptions(material),
      ALPNProtocols: ['h2'],
      handshakeTimeout: HANDSHAKE_MS,
      requestCert: material.clientCa !== undefined,
      // Who has no valid certificate is refused below, where it can be told why.
      rejectUnauthorized: false,
    });
    const { clientCa } = material;
    const withdrawals = this.#withdrawals;
    tls.on('secureConnection', (socket) => {
      // A connection may break at any time; gRPC notices what that means for the calls on it.
      socket.on('error', () => undefined);
      const isLate = withdrawals !== this.#withdrawals;
      const fault = isLate ? 'an authority was withdrawn since it began' : faultOf(socket, clientCa !== undefined);
      if (fault === undefined) this.#grpc.injectConnection(socket);
      else this.#refuse(socket, fault);
    });
    // OpenSSL gives the reason in words; its whole message is for those who build it.
    tls.on('tlsClientError', (error: NodeJS.ErrnoException & { readonly reason?: string }, socket) => {
      // A load balancer that looks whether the port is open hangs up like this.
      if (error.code !== 'ECONNRESET') this.#refuse(socket, error.reason ?? error.message);
    });
    return tls;
  }

  #refuse(socket: TLSSocket, error: string): void {
    const { remoteAddress = '', remotePort = 0 } = socket;
    this.#diagnostics('warn', 'A TLS connection to the hook provider failed.', { remoteAddress, remotePort, error });
    socket.destroy();
  }
}

function faultOf(socket: TLSSocket, asksForCertificate: boolean): string | undefined {
  if (asksForCertificate && !socket.authorized) {
    const isShown = socket.getPeerX509Certificate() !== undefined;
    return isShown ? `its certificate: ${String(socket.authorizationError)}` : 'it shows no certificate';
  }
  return socket.alpnProtocol === 'h2' ? undefined : 'it does not speak HTTP/2';
}
