import { connect } from 'node:http2';
import type { TLSSocket } from 'node:tls';

/**
 * Calls an ExHook address as far as one must to know that something there answers as a gRPC server does: it sends the
 * SETTINGS frame with which every HTTP/2 server begins (RFC 9113, 3.4). No call is made. Of TLS nothing is verified but the
 * certificate's term: the authorities that EMQX trusts are on its nodes.
 *
 * @param url `http://HOST:PORT` or `https://HOST:PORT`.
 * @returns why not; undefined where it answers. Never rejects.
 */
export function dial(url: string, timeoutMs = 3_000): Promise<string | undefined> {
  return new Promise((resolve) => {
    const session = connect(url, { rejectUnauthorized: false });
    const settle = (why: string | undefined) => {
      clearTimeout(timer);
      session.destroy();
      resolve(why);
    };
    const timer = setTimeout(() => {
      settle(`no answer within ${timeoutMs} ms`);
    }, timeoutMs);
    let handshaken = false;
    session.on('connect', () => {
      handshaken = url.startsWith('https:');
    });
    session.on('remoteSettings', () => {
      settle(url.startsWith('https:') ? expiry(session.socket as TLSSocket) : undefined);
    });
    session.on('error', (error: NodeJS.ErrnoException) => {
      // Who is sent away after the handshake lacked a certificate, and EMQX may have one.
      settle(handshaken ? undefined : whatWentWrong(error));
    });
    session.on('close', () => {
      settle(handshaken ? undefined : NOT_THE_SERVICE);
    });
  });
}

const NOT_THE_SERVICE = 'what answers there is another program, or one side speaks TLS and the other does not';

function expiry(socket: TLSSocket): string | undefined {
  const until = socket.getPeerCertificate().valid_to;
  return Date.parse(until) < Date.now() ? `its certificate expired on ${until}` : undefined;
}

const TALKS_OTHERWISE = [
  'ERR_HTTP2_ERROR',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ECONNRESET',
  'EPROTO',
];

function whatWentWrong({ code = '', message }: NodeJS.ErrnoException): string {
  if (TALKS_OTHERWISE.includes(code)) return NOT_THE_SERVICE;
  return message === '' ? code : message;
}
