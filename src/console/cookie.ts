/**
 * The cookie of a session. Its name has the port, since cookies know none (RFC 6265, section 8.5): two consoles of one
 * machine would take each other's. With `__Host-` browsers hold it to be Secure, of this very host, and for all paths.
 */
export function cookieName(secure: boolean, port: number | undefined): string {
  return secure ? '__Host-tightbeam' : `tightbeam-${port ?? 0}`;
}

/** The value of a cookie, where the request has exactly one of the name. */
export function readCookie(headers: ReadonlyMap<string, readonly string[]>, name: string): string | undefined {
  const found = (headers.get('cookie') ?? [])
    .flatMap((header) => header.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`));
  return found.length === 1 ? found[0]?.slice(name.length + 1) : undefined;
}

/** `Set-Cookie` for it; an empty value takes it away. */
export function writeCookie(name: string, value: string, secure: boolean): string {
  const life = value === '' ? '; Max-Age=0' : '';
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}${life}`;
}
