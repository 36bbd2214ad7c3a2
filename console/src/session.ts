import { signal } from '@preact/signals';
import { ApiError, ask, askJson, signedOut } from './api.js';

export type Way = 'accessKey' | 'jwt' | 'certificate' | 'link';

export interface About {
  readonly version: string;
  readonly region: string;
  readonly accountId: string;
  /** Of the data-plane API, for commands and programs. */
  readonly endpoint: string;
  /** Where a trace is shown, with `{traceId}` for its ID. */
  readonly traceUrl?: string;
}

export type Session =
  | { readonly signedIn: false; readonly ways: readonly Way[]; readonly about: About }
  | {
      readonly signedIn: true;
      readonly way: Way;
      readonly name?: string;
      readonly principalId?: string;
      readonly endsAt: string;
      readonly about: About;
    };

/** Undefined until the service has said it. */
export const session = signal<Session | undefined>(undefined);
/** Why the page shows the sign-in form, where that is no matter of course. */
export const notice = signal<string | undefined>(undefined);
export const unreachable = signal<string | undefined>(undefined);

const SESSION = '/console/session';

export async function loadSession(): Promise<void> {
  try {
    session.value = await askJson<Session>(SESSION);
    unreachable.value = undefined;
  } catch (error) {
    unreachable.value = (error as Error).message;
  }
}

signedOut.tell = () => {
  const current = session.peek();
  if (current?.signedIn !== true) return;
  notice.value = 'Your session has ended. Sign in again to go on where you were.';
  void loadSession();
};

async function attempt(body: object): Promise<void> {
  await ask(SESSION, { method: 'POST', body: JSON.stringify(body) });
  notice.value = undefined;
  await loadSession();
}

/** The secret stays here: what is sent is a signature of the service's challenge, for this origin. */
export async function signInWithKey(accessKeyId: string, secret: string): Promise<void> {
  const { challenge } = await askJson<{ readonly challenge: string }>('/console/challenge');
  const bytes = (text: string) => new TextEncoder().encode(text);
  const hash = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', bytes(secret), hash, false, ['sign']);
  const text = ['tightbeam-console', accessKeyId, location.origin, challenge].join('\n');
  const digest = new Uint8Array(await crypto.subtle.sign('HMAC', key, bytes(text)));
  const signature = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  await attempt({ way: 'accessKey', accessKeyId, challenge, signature });
}

export const signInWithToken = (token: string): Promise<void> => attempt({ way: 'jwt', token });
export const signInWithCertificate = (): Promise<void> => attempt({ way: 'certificate' });

/** A link of `tightbeam dev`: its token is in the fragment, and leaves it before anything else is done. */
export async function followLink(): Promise<void> {
  const [, token] = /^#\/sign-in\/([\w-]+)$/.exec(location.hash) ?? [];
  if (token === undefined) return;
  history.replaceState(null, '', '#/now');
  dispatchEvent(new HashChangeEvent('hashchange'));
  try {
    await attempt({ way: 'link', token });
  } catch (error) {
    notice.value =
      error instanceof ApiError && error.status === 401
        ? 'This link was used, or is older than a minute. Press Enter in the terminal of tightbeam dev for a new one.'
        : (error as Error).message;
  }
}

export async function signOut(): Promise<void> {
  await ask(SESSION, { method: 'DELETE' });
  notice.value = 'You are signed out.';
  await loadSession();
}
