import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError } from './api.js';
import { notice, signInWithCertificate, signInWithKey, signInWithToken, type Way } from './session.js';

const NAMES: Readonly<Record<Way, string>> = {
  accessKey: 'Access key',
  jwt: 'Token',
  certificate: 'Certificate',
  link: 'Local link',
};

/** The form for somebody who is not signed in, with the ways that this service has. */
export function SignIn({ ways }: { readonly ways: readonly Way[] }): JSX.Element {
  const offered = ways.filter((way) => way !== 'link');
  const [way, setWay] = useState<Way>(offered[0] ?? 'accessKey');
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const field = (name: string): string => {
      const value = fields.get(name);
      return typeof value === 'string' ? value.trim() : '';
    };
    setBusy(true);
    setProblem(undefined);
    const attempt =
      way === 'accessKey'
        ? signInWithKey(field('key'), field('secret'))
        : way === 'jwt'
          ? signInWithToken(field('token'))
          : signInWithCertificate();
    attempt.catch((error: unknown) => {
      setProblem(describe(error, way));
      setBusy(false);
    });
  };
  return (
    <main class="sign-in">
      <p class="row">
        <img src="/icon.svg" alt="" width="28" height="28" />
      </p>
      <h1>Sign in to Tightbeam</h1>
      <p class="muted">
        With the credentials that the HTTP API knows. What you may see and do is what policies allow you.
      </p>
      {notice.value !== undefined && (
        <div class="notice warn" role="status">
          {notice.value}
        </div>
      )}
      {offered.length > 1 && (
        <div class="tabs" role="tablist" aria-label="Ways to sign in">
          {offered.map((one) => (
            <button
              key={one}
              type="button"
              role="tab"
              aria-selected={one === way}
              onClick={() => {
                setWay(one);
                setProblem(undefined);
              }}
            >
              {NAMES[one]}
            </button>
          ))}
        </div>
      )}
      <form class="form" onSubmit={submit}>
        {way === 'accessKey' && (
          <>
            <label>
              <span>Access key ID</span>
              <input name="key" required autocomplete="username" spellcheck={false} class="mono" />
            </label>
            <label>
              <span>Secret access key</span>
              <input name="secret" type="password" required autocomplete="current-password" class="mono" />
            </label>
            <p class="small muted">The secret stays in this page: it signs a challenge of the service.</p>
          </>
        )}
        {way === 'jwt' && (
          <label>
            <span>JSON Web Token</span>
            <textarea name="token" required spellcheck={false} autocomplete="off" rows={6} />
          </label>
        )}
        {way === 'certificate' && (
          <p>Your browser shows the client certificate that you chose for this site when it connected.</p>
        )}
        {problem !== undefined && (
          <div class="notice bad" role="alert">
            {problem}
          </div>
        )}
        <div>
          <button class="primary" type="submit" disabled={busy}>
            {busy ? 'Signing in…' : 'Sign in'}
          </button>
        </div>
      </form>
    </main>
  );
}

function describe(error: unknown, way: Way): string {
  if (!(error instanceof ApiError)) {
    return !isSecureContext
      ? 'Browsers sign only on pages that came over TLS, or from this machine. Open the console by https, or as 127.0.0.1.'
      : String(error);
  }
  if (error.status === 401) {
    if (way === 'certificate')
      return 'The browser showed no certificate that is accepted here. Choose one, and reload.';
    return way === 'jwt'
      ? 'The token is not accepted: look at its issuer, audience and expiry.'
      : 'The access key is not known, or the secret is not its own.';
  }
  return error.message;
}
