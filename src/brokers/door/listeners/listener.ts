import { once } from 'node:events';
import { createServer, type AddressInfo, type BlockList, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { describeCertificate } from '../../../identity/certificates.js';
import { isAmong } from '../../../networks.js';
import type { Diagnostics } from '../../../observing/diagnostics.js';
import type { TlsMaterial } from '../../../tls/files.js';
import { certificateFault, Handshakes } from '../../../tls/handshakes.js';
import type { Endpoints } from '../endpoints.js';
import { NoProxyHeader, readProxyHeader, type ProxyHeader } from './proxy-header.js';
import { WebSockets } from './websockets.js';

export interface ListenerOptions {
  readonly diagnostics: Diagnostics;
  /** From the first byte to a stream of MQTT, in milliseconds. */
  readonly timeoutMs: number;
  /** Takes a client's stream of MQTT. */
  readonly accept: (stream: Duplex, endpoints: Endpoints) => void;
  /** Whether the service itself alone is let in here. Default: no. */
  readonly internal?: boolean;
  /** Whose connections begin with a PROXY protocol header. Others' must not. Default: nobody's. */
  readonly proxies?: BlockList | undefined;
  /** Default: clear text. */
  readonly tls?: ListenerTls | undefined;
  /** MQTT within WebSockets. */
  readonly webSocket?: { readonly path: string; readonly messageBytes: number };
}

export interface ListenerTls {
  readonly material: TlsMaterial;
  /** Whether a client may come without a certificate where authorities for them are given. One that is not valid never may. */
  readonly optionalCertificate: boolean;
}

/** What is known of a connection on its way to be a stream of MQTT. */
interface Arrival {
  readonly socket: Socket;
  endpoints: Endpoints;
  readonly patience: NodeJS.Timeout;
}

/** What the TLS handshake established. */
type TlsFacts = Partial<Pick<Endpoints, 'secureTransport' | 'certificate' | 'serverName'>>;

/** TCP keep-alive probes find peers that are gone without a word, where MQTT's Keep Alive is off. */
const TCP_PROBE_MS = 60_000;

/**
 * One address that clients connect to. A connection passes the PROXY protocol header, the TLS handshake and the WebSocket
 * handshake, as far as the listener has them, all within one time, and is then handed on as a stream of MQTT.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #handshakes: Handshakes | undefined;
  readonly #webSockets: WebSockets | undefined;
  /** Of those on their way. By the two ends of the connection, which a socket has with TLS and without. */
  readonly #arrivals = new Map<string, Arrival>();

  constructor(options: ListenerOptions) {
    const { tls, webSocket } = options;
    this.#options = options;
    this.#handshakes = tls && this.#handshakesWith(tls);
    this.#webSockets = webSocket && new WebSockets(webSocket);
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_PROBE_MS }, (socket) => {
      this.#arrive(socket);
    });
  }

  /**
   * Port 0 takes a free one.
   *
   * @returns the port.
   * @throws where the address cannot be listened on.
   */
  async listen(host: string, port: number): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    this.#server.on('error', (error) => {
      this.#options.diagnostics('error', 'A connection could not be accepted.', { error: error.message });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** New handshakes use the new material. @returns whether an authority is there no more. */
  replaceTls(material: TlsMaterial): boolean {
    return this.#handshakes?.replace(material) ?? false;
  }

  /** Takes no more connections, and ends those that speak no MQTT yet. Resolves when the others are closed too. */
  close(): Promise<void> {
    for (const { socket } of this.#arrivals.values()) socket.destroy();
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  #arrive(socket: Socket): void {
    const { timeoutMs, proxies, internal = false } = this.#options;
    const key = endsOf(socket);
    const endpoints = endpointsOf(socket, internal);
    const patience = setTimeout(() => socket.destroy(), timeoutMs);
    this.#arrivals.set(key, { socket, endpoints, patience });
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(patience);
      this.#arrivals.delete(key);
    });
    if (proxies !== undefined && isAmong(proxies, endpoints.sourceIp)) this.#readProxyHeader(socket, key);
    else this.#begin(socket);
  }

  /** Reads as far as the header goes; what is behind it is put back. */
  #readProxyHeader(socket: Socket, key: string): void {
    let bytes = Buffer.alloc(0);
    const read = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
        bytes = Buffer.concat([bytes, chunk]);
        let header: ProxyHeader | undefined;
        try {
          header = readProxyHeader(bytes);
        } catch (error) {
          this.#refuse(socket, (error as NoProxyHeader).message);
          return;
        }
        if (header === undefined) continue;
        socket.off('readable', read);
        const arrival = this.#arrivals.get(key);
        if (arrival === undefined) return;
        arrival.endpoints = { ...arrival.endpoints, ...header.client };
        if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
        this.#begin(socket);
        return;
      }
    };
    socket.on('readable', read);
  }

  #begin(socket: Socket): void {
    if (this.#handshakes !== undefined) this.#handshakes.make(socket);
    else this.#secured(socket, {});
  }

  /** In clear text, or with the TLS handshake made. */
  #secured(socket: Socket, facts: TlsFacts): void {
    if (this.#webSockets === undefined) {
      this.#handOn(socket, socket, facts);
      return;
    }
    this.#webSockets.make(socket, (stream, { headers }) => {
      const { certificate, ...others } = facts;
      // A page of any site can make a browser connect, and show the certificate that its user has chosen once.
      const counts = certificate !== undefined && headers.origin === undefined;
      this.#handOn(socket, stream, counts ? facts : others);
    });
  }

  #handOn(socket: Socket, stream: Duplex, facts: TlsFacts): void {
    const key = endsOf(socket);
    const arrival = this.#arrivals.get(key);
    if (arrival === undefined) {
      stream.destroy();
      return;
    }
    this.#arrivals.delete(key);
    clearTimeout(arrival.patience);
    this.#options.accept(stream, { ...arrival.endpoints, ...facts });
  }

  #handshakesWith({ material, optionalCertificate }: ListenerTls): Handshakes {
    return new Handshakes(material, {
      timeoutMs: this.#options.timeoutMs,
      faultOf: (socket, inForce) =>
        optionalCertificate && socket.getPeerX509Certificate() === undefined
          ? undefined
          : certificateFault(socket, inForce),
      taken: (socket) => {
        this.#secured(socket, tlsFacts(socket));
      },
      refused: (socket, error) => {
        this.#tell(socket, error);
      },
    });
  }

  #refuse(socket: Socket, error: string): void {
    this.#tell(socket, error);
    socket.destroy();
  }

  #tell(socket: Socket, error: string): void {
    const { sourceIp, sourcePort } = this.#arrivals.get(endsOf(socket))?.endpoints ?? {};
    this.#options.diagnostics('info', 'A connection was refused before it spoke MQTT.', {
      sourceIp,
      sourcePort,
      error,
    });
  }
}

/** There are no two connections with the same two ends at a time. */
function endsOf({ remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function endpointsOf(socket: Socket, internal: boolean): Endpoints {
  return {
    since: performance.now(),
    sourceIp: plainAddress(socket.remoteAddress) ?? '',
    sourcePort: socket.remotePort ?? 0,
    targetIp: plainAddress(socket.localAddress),
    targetPort: socket.localPort,
    secureTransport: false,
    internal,
  };
}

/** IPv4 on a dual-stack listener comes as `::ffff:10.0.0.1`. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/, '');
}

function tlsFacts(socket: TLSSocket): TlsFacts {
  const { authorized, servername } = socket;
  const certificate = authorized ? socket.getPeerX509Certificate() : undefined;
  return {
    secureTransport: true,
    ...(certificate && { certificate: describeCertificate(certificate) }),
    ...(typeof servername === 'string' && servername !== '' && { serverName: servername }),
  };
}
