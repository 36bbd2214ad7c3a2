/** Where a connection comes from, and arrives at. */
export interface Endpoints {
  /** When it was opened, by `performance.now()`. */
  readonly since: number;
  readonly sourceIp: string;
  readonly sourcePort: number;
  readonly targetIp: string | undefined;
  readonly targetPort: number | undefined;
  readonly secureTransport: boolean;
  /** Subject of the client certificate that the TLS handshake verified. */
  readonly certificate?: {
    readonly commonName: string;
    readonly distinguishedName?: string;
    readonly fingerprint?: string;
  };
  /** Server Name Indication of the TLS handshake. */
  readonly serverName?: string;
  /** Whether the door's own process alone can have made it. */
  readonly internal: boolean;
}
