import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError } from '../api.js';

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');

/** Local time and UTC, to the millisecond; the day where it is not today. */
export function Time({ at }: { readonly at: string | number | undefined }): JSX.Element | null {
  if (at === undefined) return null;
  const moment = new Date(at);
  if (Number.isNaN(moment.getTime())) return <span>{at}</span>;
  const clock = `${pad(moment.getHours())}:${pad(moment.getMinutes())}:${pad(moment.getSeconds())}.${pad(moment.getMilliseconds(), 3)}`;
  const isToday = moment.toDateString() === new Date().toDateString();
  const day = isToday ? '' : `${moment.getFullYear()}-${pad(moment.getMonth() + 1)}-${pad(moment.getDate())} `;
  const iso = moment.toISOString();
  return (
    <time dateTime={iso} title={iso}>
      {day}
      {clock}
      <span class="utc">{isToday ? iso.slice(11, -1) : iso.slice(0, -1).replace('T', ' ')} UTC</span>
    </time>
  );
}

export function milliseconds(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '';
  return value < 10
    ? `${value.toFixed(2)} ms`
    : value < 1000
      ? `${value.toFixed(1)} ms`
      : `${(value / 1000).toFixed(2)} s`;
}

/** Control and format characters that clients can put into names, made visible: they must not reorder what is read. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** A state in words, with its colour. */
export function Status({ good, children }: { readonly good: boolean | 'warn'; readonly children: ComponentChildren }) {
  return <span class={`status ${good === 'warn' ? 'warn' : good ? 'ok' : 'bad'}`}>{children}</span>;
}

/** What went wrong, and what to do. */
export function Problem({ error, doing }: { readonly error: unknown; readonly doing: string }): JSX.Element {
  const known = error instanceof ApiError ? error : undefined;
  return (
    <div class="notice bad" role="alert">
      <p>
        <strong>{doing}</strong> {error instanceof Error ? plain(error.message) : String(error)}
      </p>
      {advice(known) !== undefined && <p>{advice(known)}</p>}
      {known?.reason !== undefined && (
        <p class="small muted">
          {known.reason}
          {known.traceId !== undefined && <> · trace {known.traceId}</>}
        </p>
      )}
    </div>
  );
}

function advice(error: ApiError | undefined): string | undefined {
  if (error?.status === 403)
    return 'Your principal needs a statement that allows it. The message of the refusal, with its action and resource, is in the log under the trace.';
  if (error?.status === 429) return 'Wait a moment and try again.';
  if (error?.status === 0) return 'The page goes on by itself when the service is back.';
  return undefined;
}

export function Copy({ text, children }: { readonly text: () => string; readonly children: ComponentChildren }) {
  const [done, setDone] = useState(false);
  return (
    <button
      type="button"
      onClick={() => {
        void navigator.clipboard.writeText(text()).then(() => {
          setDone(true);
        });
      }}
      onBlur={() => {
        setDone(false);
      }}
    >
      {done ? 'Copied' : children}
    </button>
  );
}

/** A word of the shell: quoted where it has to be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
