import { signal } from '@preact/signals';
import { render, type JSX } from 'preact';
import { hrefTo, route } from './router.js';
import { followLink, loadSession, session, signOut, unreachable } from './session.js';
import { SignIn } from './sign-in.js';
import { VIEWS, viewOf } from './views.js';

const theme = signal(localStorage.getItem('theme') ?? 'auto');
const THEMES = ['auto', 'light', 'dark'];

function showTheme(): void {
  if (theme.value === 'auto') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.value;
}

function ThemeButton(): JSX.Element {
  return (
    <button
      type="button"
      class="plain"
      title="Colours: as the system has them, light, or dark"
      onClick={() => {
        theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'auto';
        localStorage.setItem('theme', theme.value);
        showTheme();
      }}
    >
      <span class="skip">Colours: </span>
      {theme.value}
    </button>
  );
}

function App(): JSX.Element {
  const current = session.value;
  if (unreachable.value !== undefined) {
    return (
      <main class="sign-in">
        <h1>Tightbeam</h1>
        <div class="notice bad" role="alert">
          {unreachable.value}
        </div>
        <button type="button" class="primary" onClick={() => void loadSession()}>
          Try again
        </button>
      </main>
    );
  }
  if (current === undefined) return <main aria-busy="true" />;
  if (!current.signedIn) return <SignIn ways={current.ways} />;
  const [name = ''] = route.value.path;
  const view = viewOf(name);
  const { View } = view;
  document.title = `${view.title} · Tightbeam`;
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        To the content
      </a>
      <header class="top">
        <a class="brand" href={hrefTo(['now'])}>
          <img src="/icon.svg" alt="" />
          Tightbeam
        </a>
        <nav aria-label="Views">
          {VIEWS.filter(({ inMenu }) => inMenu).map(({ path, title, under }) => (
            <a
              key={path}
              href={hrefTo([path])}
              aria-current={path === view.path || path === view.under ? 'page' : undefined}
              data-under={under}
            >
              {title}
            </a>
          ))}
        </nav>
        <div class="who">
          <span title={`Signed in by ${current.way}, until ${new Date(current.endsAt).toLocaleString()}`}>
            {current.principalId ?? current.name}
          </span>
          <ThemeButton />
          <button type="button" class="plain" onClick={() => void signOut()}>
            Sign out
          </button>
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        <View key={name} />
      </main>
    </>
  );
}

/** The fragment is the route, so this link cannot be an ordinary one. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}

showTheme();
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
void followLink().then(loadSession);
