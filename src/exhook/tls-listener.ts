import { ServerCredentials, type ConnectionInjector, type Server as GrpcServer } from '@grpc/grpc-js';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import type { Diagnostics } from '../observing/diagnostics.js';
import type { TlsMaterial } from '../tls/files.js';
import { certificateFault, Handshakes } from '../tls/handshakes.js';

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
  readonly #handshakes: Handshakes;

  constructor(grpc: GrpcServer, material: TlsMaterial, diagnostics: Diagnostics) {
    this.#grpc = grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#handshakes = new Handshakes(material, {
      protocols: ['h2'],
      timeoutMs: HANDSHAKE_MS,
      faultOf: (socket, inForce) => {
        const isHttp2 = socket.alpnProtocol === 'h2';
        return certificateFault(socket, inForce) ?? (isHttp2 ? undefined : 'it does not speak HTTP/2');
      },
      taken: (socket) => {
        this.#grpc.injectConnection(socket);
      },
      refused: ({ remoteAddress = '', remotePort = 0 }, error) => {
        diagnostics('warn', 'A TLS connection to the hook provider failed.', { remoteAddress, remotePort, error });
      },
    });
    this.#tcp = createTcpServer((socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
      this.#handshakes.make(socket);
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
    const isWithdrawn = this.#handshakes.replace(material);
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
}
