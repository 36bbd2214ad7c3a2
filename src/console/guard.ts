import { isLoopback } from '../loopback.js';

/** Where the console is: which names it answers to, and whether what browsers reach it by is TLS. */
export interface Place {
  /** Origins under which people reach it, as browsers write them: `https://console.example`. */
  readonly origins: readonly string[];
  /** Whether browsers speak TLS with it, or with a proxy before it. */
  readonly secure: boolean;
  /** Whether all come through a proxy, which tells their address. */
  readonly proxied: boolean;
}

/** The header that the page sends with each request. Another site's page cannot, without being let by CORS, which is never. */
export const PAGE_HEADER = 'x-tightbeam-console';

interface Head {
  readonly method: string;
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

/**
 * The origin of the page that a request comes from, or for: the name in Host, where that is one of the console's. Any other is
 * that of a site whose name was made to resolve to here (DNS rebinding), and its page is not to read anything.
 */
export function originOf({ headers }: Head, { origins, secure }: Place): string | undefined {
  const [host, ...others] = headers.get('host') ?? [];
  if (host === undefined || others.length > 0) return undefined;
  const configured = origins.find((origin) => new URL(origin).host === host.toLowerCase());
  if (configured !== undefined) return configured;
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isLoopback(name) ? `${secure ? 'https' : 'http'}://${host.toLowerCase()}` : undefined;
}

/** Whether a request is from the console's own page. */
export function isOfPage(head: Head, place: Place): boolean {
  const { headers } = head;
  const origin = originOf(head, place);
  const [from, ...others] = headers.get('origin') ?? [];
  const [site] = headers.get('sec-fetch-site') ?? [];
  return (
    origin !== undefined &&
    others.length === 0 &&
    // Browsers send Origin with every request that is no GET or HEAD (Fetch, "append a request Origin header").
    (from === undefined ? head.method === 'GET' : from === origin) &&
    (site === undefined || site === 'same-origin') &&
    headers.has(PAGE_HEADER)
  );
}

/** Sent with everything. Nothing is loaded from elsewhere, nothing runs that is no file of the console, nobody frames it. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** A year (RFC 6797), where browsers speak TLS. */
export const STRICT_TRANSPORT = { 'strict-transport-security': 'max-age=31536000' } as const;
