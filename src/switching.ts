import { isDeepStrictEqual } from 'node:util';
import { describeModes, hasShadow, Modes } from './clients/modes.js';
import type { Config } from './config/schema.js';
import type { RunningHooks } from './exhook/start.js';
import type { Events } from './observing/events.js';
import type { Telemetry } from './telemetry/telemetry.js';

/** The modes of the configuration; tells where policies are in shadow. */
export function startModes({ authorization }: Config, events: Events): Modes {
  const modes = new Modes(authorization);
  if (hasShadow(authorization)) tellModes(modes, events);
  return modes;
}

function tellModes({ settings }: Modes, events: Events): void {
  events.tell('AuthorizationMode', { shadow: hasShadow(settings), details: describeModes(settings) });
}

/** Parts whose settings may change while they run. */
export interface Switchable {
  readonly modes: Modes;
  readonly telemetry: Pick<Telemetry, 'events' | 'diagnostics' | 'replaceLogFilter'>;
  /** Absent where the door decides in this process. */
  readonly hooks: Pick<RunningHooks, 'replaceWishes'> | undefined;
}

/** Takes from the configuration what may change while the service runs, and says what may not and has. */
export function switchSettings(
  { modes, telemetry, hooks }: Switchable,
  started: Config,
  readConfig: () => Config,
): void {
  const { events, diagnostics } = telemetry;
  let now: Config;
  try {
    now = readConfig();
  } catch (error) {
    events.fault('The configuration could not be read again; the one before stays in force.', error);
    return;
  }
  const before = describeModes(modes.settings);
  modes.replace(now.authorization);
  if (describeModes(now.authorization) !== before) tellModes(modes, events);
  telemetry.replaceLogFilter(now.log);
  hooks?.replaceWishes(now);
  const changed = changedSettings(started, now);
  if (changed.length > 0)
    diagnostics('warn', 'Settings have changed that count after a restart only.', { settings: changed.join(', ') });
}

/** Sections that differ, what may change left aside. */
function changedSettings(one: Config, other: Config): string[] {
  const without = (config: Config): Record<string, unknown> => {
    const { receiveOnSubscribe, hashMatchesParent } = config.authorization;
    const fixed = { authorization: { receiveOnSubscribe, hashMatchesParent }, log: {} };
    return { ...config, ...fixed, telemetry: { ...config.telemetry, topicGroups: {} } };
  };
  const [before, after] = [without(one), without(other)];
  return Object.keys({ ...before, ...after }).filter((key) => !isDeepStrictEqual(before[key], after[key]));
}
