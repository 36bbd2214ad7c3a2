/**
 * Who is asking: the facts that a transport has established about a caller, and nothing that the caller merely claims.
 * Which principal (and so which policies) they stand for is the policy engine's to decide.
 */
export interface Identity {
  readonly protocol: 'MQTT' | 'HTTP';
  /** MQTT client ID of the connection. Absent for HTTP callers. */
  readonly clientId?: string | undefined;
  /** MQTT username whose password was verified. */
  readonly username?: string | undefined;
  /** Subject of the client certificate that the TLS handshake verified. */
  readonly certificate?: {
    readonly commonName: string;
    /** RFC 4514, the most specific attribute first: `CN=backend,O=Example,C=SE`. */
    readonly distinguishedName?: string;
    /** SHA-256 of the certificate, in lower-case hexadecimal digits. */
    readonly fingerprint?: string;
    /** Of the issuer, as `distinguishedName`. */
    readonly issuer?: string;
    /** In hexadecimal digits, upper case. */
    readonly serialNumber?: string;
  };
  /** Access key whose SigV4 signature was verified. */
  readonly accessKeyId?: string;
  /** `sub` (or the claim configured) of the JWT that was verified. */
  readonly jwtSubject?: string;
  /** Address of the peer as the server saw it: IPv4 or IPv6 text, without port. */
  readonly sourceIp?: string | undefined;
  readonly sourcePort?: number | undefined;
  /** Whether the connection was TLS; absent where the transport does not know. */
  readonly secureTransport?: boolean;
}
