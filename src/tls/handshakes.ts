import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { certificatesIn, contextOptions, type TlsMaterial } from './files.js';

export interface HandshakeOptions {
  /** What is offered for the protocol above (ALPN). Default: the client's offer is passed over. */
  readonly protocols?: readonly string[];
  /** How long a handshake may take, in milliseconds. */
  readonly timeoutMs: number;
  /** What is wrong with a peer whose handshake was made; undefined where nothing is. Default: `certificateFault`. */
  readonly faultOf?: (socket: TLSSocket, material: TlsMaterial) => string | undefined;
  /** Takes a peer that nothing is wrong with. */
  readonly taken: (socket: TLSSocket) => void;
  /** Hears of every other, in words for the operator, before its socket is closed. */
  readonly refused: (socket: TLSSocket, error: string) => void;
}

/**
 * The server's side of TLS handshakes, with material that can be replaced. Who shows no valid certificate is let through
 * the handshake and refused behind it, where there are words for why.
 */
export class Handshakes {
  readonly #options: HandshakeOptions;
  #material: TlsMaterial;
  /** How often an authority has been taken away. What began before the last time counts for nothing. */
  #withdrawals = 0;
  /** Makes the handshakes with the material in force. Each material has its own, so no session outlives it. */
  #server: Server;

  constructor(material: TlsMaterial, options: HandshakeOptions) {
    this.#options = options;
    this.#material = material;
    this.#server = this.#serverWith(material);
  }

  /** Makes the handshake with a client that has just connected. What was read of the socket and put back counts. */
  make(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  /**
   * Uses new material for the handshakes from now on.
   *
   * @returns whether an authority is there no more, so that whom it vouched for should not stay.
   */
  replace(material: TlsMaterial): boolean {
    const authorities = certificatesIn(material.clientCa ?? '');
    const isWithdrawn = certificatesIn(this.#material.clientCa ?? '').some((one) => !authorities.includes(one));
    this.#material = material;
    if (isWithdrawn) this.#withdrawals++;
    this.#server = this.#serverWith(material);
    return isWithdrawn;
  }

  #serverWith(material: TlsMaterial): Server {
    const { protocols, timeoutMs, faultOf = certificateFault, taken } = this.#options;
    const server = createServer({
      ...contextOptions(material),
      ...(protocols && { ALPNProtocols: [...protocols] }),
      handshakeTimeout: timeoutMs,
      requestCert: material.clientCa !== undefined,
      rejectUnauthorized: false,
    });
    const withdrawals = this.#withdrawals;
    server.on('secureConnection', (socket) => {
      // A connection may break at any time; who takes it notices what that means.
      socket.on('error', () => undefined);
      const isLate = withdrawals !== this.#withdrawals;
      const fault = isLate ? 'an authority was withdrawn since it began' : faultOf(socket, material);
      if (fault === undefined) taken(socket);
      else this.#refuse(socket, fault);
    });
    // OpenSSL gives the reason in words; its whole message is for those who build it.
    server.on('tlsClientError', (error: NodeJS.ErrnoException & { readonly reason?: string }, socket) => {
      // A load balancer that looks whether the port is open hangs up like this.
      if (error.code !== 'ECONNRESET') this.#refuse(socket, error.reason ?? error.message);
    });
    return server;
  }

  #refuse(socket: TLSSocket, error: string): void {
    this.#options.refused(socket, error);
    socket.destroy();
  }
}

/** What is wrong with the certificate of a client, where the server asks for one. */
export function certificateFault(socket: TLSSocket, { clientCa }: TlsMaterial): string | undefined {
  if (clientCa === undefined || socket.authorized) return undefined;
  const isShown = socket.getPeerX509Certificate() !== undefined;
  return isShown ? `its certificate: ${String(socket.authorizationError)}` : 'it shows no certificate';
}
