import { createServer, STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { WebSocketStream } from './websocket-stream.js';

/** Names of the subprotocol: of MQTT 3.1.1 and 5 (section 6), and the one that clients of MQTT 3.1 had before. */
const SUBPROTOCOLS = ['mqtt', 'mqttv3.1'];
/** How long a peer may take to answer that the connection is to close, in milliseconds. */
const CLOSE_TIMEOUT_MS = 2_000;

export interface WebSocketOptions {
  /** The path that clients ask for. */
  readonly path: string;
  /** Longest message. */
  readonly messageBytes: number;
}

/** Takes the stream of MQTT within a WebSocket. */
export type TakeWebSocket = (stream: Duplex, request: IncomingMessage) => void;

/** Makes WebSockets of connections (RFC 6455). Whoever asks for something else is answered, and closed. */
export class WebSockets {
  readonly #http: Server;
  readonly #takers = new WeakMap<Duplex, TakeWebSocket>();

  constructor({ path, messageBytes }: WebSocketOptions) {
    const sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: messageBytes,
      perMessageDeflate: false,
      // Text is refused whatever it says.
      skipUTF8Validation: true,
      closeTimeout: CLOSE_TIMEOUT_MS,
      handleProtocols: (offered) => SUBPROTOCOLS.find((name) => offered.has(name)) ?? false,
    } as ConstructorParameters<typeof WebSocketServer>[0]);
    this.#http = createServer((_, response) => {
      response.writeHead(426, { upgrade: 'websocket', connection: 'close' }).end();
    });
    this.#http.on('upgrade', (request, socket, head) => {
      const refusal = refusalOf(request, path);
      if (refusal !== undefined) {
        refuse(socket, refusal);
        return;
      }
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        this.#takers.get(socket)?.(new WebSocketStream(webSocket), request);
      });
    });
  }

  /** Makes one of a connection that has just been opened. What was read of it and put back counts. */
  make(socket: Duplex, taken: TakeWebSocket): void {
    this.#takers.set(socket, taken);
    this.#http.emit('connection', socket);
  }
}

function refusalOf({ url = '', headers }: IncomingMessage, path: string): number | undefined {
  if (url.split('?', 1)[0] !== path) return 404;
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  return SUBPROTOCOLS.some((name) => offered.includes(name)) ? undefined : 400;
}

function refuse(socket: Duplex, status: number): void {
  socket.on('error', () => undefined);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    () => {
      socket.destroy();
    },
  );
}
