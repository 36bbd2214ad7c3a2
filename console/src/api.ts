/** Asks the service: the API's own resources, with the session as the credential. */

/** What the service says where it does not do what was asked. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly reason: string | undefined,
    message: string,
    readonly traceId: string | undefined,
    readonly body: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

/** Called where the service says that nobody is signed in. */
export const signedOut: { tell: () => void } = { tell: () => undefined };

export interface Asked {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
}

export function pathWith(path: string, query: Asked['query'] = {}): string {
  const parts = Object.entries(query).flatMap(([name, value]) =>
    (value === undefined ? [] : typeof value === 'string' ? [value] : value).map(
      (one) => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`,
    ),
  );
  return parts.length === 0 ? path : `${path}?${parts.join('&')}`;
}

/** @throws ApiError where the answer is no, or none came. */
export async function ask(path: string, asked: Asked = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(pathWith(path, asked.query), {
      method: asked.method ?? 'GET',
      headers: { 'x-tightbeam-console': '1', ...asked.headers },
      cache: 'no-store',
      redirect: 'error',
      ...(asked.body !== undefined && { body: asked.body }),
      ...(asked.signal && { signal: asked.signal }),
    });
  } catch (error) {
    if (asked.signal?.aborted === true) throw error;
    throw new ApiError(0, undefined, 'The service does not answer. Is it running?', undefined);
  }
  if (response.ok) return response;
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const said = (name: string): string | undefined => {
    const value = body[name];
    return typeof value === 'string' ? value : undefined;
  };
  if (response.status === 401 && !path.startsWith('/console/')) signedOut.tell();
  const details = said('details');
  const message = [said('message') ?? `The service answers ${response.status}.`, ...(details ? [details] : [])];
  throw new ApiError(response.status, said('reason'), message.join(' '), said('traceId'), body);
}

export async function askJson<T>(path: string, asked?: Asked): Promise<T> {
  return (await (await ask(path, asked)).json()) as T;
}
