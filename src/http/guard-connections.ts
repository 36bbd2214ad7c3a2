import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Ending } from './rendering.js';

/** Ends a connection from which no request could be read, or whose request is not going to be read. */
export type EndConnection = (socket: Duplex, ending: Ending) => void;

/** Node's code for a request that has not come in full in time. */
export const REQUEST_TIMEOUT = 'ERR_HTTP_REQUEST_TIMEOUT';

/** What Node itself would answer in its own way, or not at all: here it gets this API's answer. */
export function guardConnections(
  server: Server,
  maxBytes: (message: IncomingMessage) => number,
  end: EndConnection,
): void {
  // RFC 9110, section 10.1.1: a body that will be refused for its length need not be asked for.
  server.on('checkContinue', (message: IncomingMessage, response: ServerResponse) => {
    if (!(Number(message.headers['content-length']) > maxBytes(message))) response.writeContinue();
    server.emit('request', message, response);
  });
  server.on('checkExpectation', (message: IncomingMessage) => {
    end(message.socket, { reason: 'INVALID_REQUEST', details: 'The only expectation supported is 100-continue.' });
  });
  server.on('connect', (_message: IncomingMessage, socket: Duplex) => {
    end(socket, { reason: 'METHOD_NOT_ALLOWED', details: 'CONNECT: this is no proxy.' });
  });
}

/** Of the HTTP parser: the connection ended in the middle of a request. */
export const CUT_SHORT = 'HPE_INVALID_EOF_STATE';

/** What is wrong with bytes that the HTTP parser refused, or that did not come in time; undefined for a mere hang-up. */
export function clientErrorDetails({ code = 'unknown error' }: NodeJS.ErrnoException): string | undefined {
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ETIMEDOUT':
      return undefined;
    case REQUEST_TIMEOUT:
      return 'The request did not arrive in full in time.';
    case 'HPE_HEADER_OVERFLOW':
      return 'The request line and headers are too large.';
    default:
      return code.startsWith('HPE_') ? `Not valid HTTP/1.1 (${code}).` : `The TLS handshake failed (${code}).`;
  }
}
