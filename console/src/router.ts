import { signal } from '@preact/signals';

/**
 * Where the page is: in the fragment, which browsers send to nobody, so that no client ID of a view is in anybody's log.
 * `#/device/lock-7?tab=x` is the path `device`, `lock-7` and the parameter `tab`.
 */
export interface Route {
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

function read(): Route {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  return { path: path.split('/').map(decode), query: new URLSearchParams(query) };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export const route = signal<Route>(read());

addEventListener('hashchange', () => {
  route.value = read();
});

export function hrefTo(path: readonly string[], query?: URLSearchParams): string {
  const tail = query === undefined || query.size === 0 ? '' : `?${query.toString()}`;
  return `#/${path.map(encodeURIComponent).join('/')}${tail}`;
}

export function goTo(path: readonly string[], query?: URLSearchParams): void {
  location.hash = hrefTo(path, query);
}

/** Changes the parameters of the view that is open, without a new entry in the history. */
export function replaceQuery(query: URLSearchParams): void {
  const { path } = route.peek();
  history.replaceState(null, '', hrefTo(path, query));
  route.value = { path, query };
}
