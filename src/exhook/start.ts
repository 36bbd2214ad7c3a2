import type { Config } from '../config/schema.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { loadTls, watchTls, type TlsFiles } from '../tls/files.js';
import { optionalHooks } from './hooks.js';
import type { TapWishes } from './tap/wishes.js';
import { authorityOf, createHookProvider, type HookProvider, type HookProviderOptions } from './provider.js';

/** The section of the configuration, for the words of errors. */
const SECTION = 'exhook.tls';

/** The hook provider on its port. */
export interface RunningHooks {
  readonly port: number;
  /** What a broker is told to call. */
  readonly url: string;
  /** Has the broker's plugin tell what this configuration asks for. */
  replaceWishes(config: Config): void;
  stop(): Promise<void>;
}

/** @throws where the port cannot be listened on, or the TLS files do not fit together. */
export async function startHooks(
  config: Config,
  parts: Pick<HookProviderOptions, 'authenticator' | 'authorizer' | 'enforcement' | 'refusals' | 'principalOf'>,
  telemetry: Telemetry,
): Promise<RunningHooks> {
  const {
    exhook: { host, port, tls },
    log,
    broker,
  } = config;
  const { events, diagnostics, tracing, traffic } = telemetry;
  const provider = createHookProvider({
    ...parts,
    events,
    diagnostics,
    tracing,
    traffic,
    serviceUsername: broker.username,
    hooks: optionalHooks(log),
    wishes: wishesOf(config),
    ...(tls && { tls: loadTls(tls, SECTION) }),
  });
  const bound = await provider.start(host, port);
  const unwatch = tls && watch(tls, provider, telemetry);
  return {
    port: bound,
    replaceWishes: (now) => {
      provider.replaceWishes({ ...wishesOf(now), lifecycleEvents: broker.lifecycleEvents });
    },
    url: `${tls === undefined ? 'http' : 'https'}://${authorityOf(host, bound)}`,
    stop: async () => {
      unwatch?.();
      await provider.stop();
    },
  };
}

function wishesOf({ log, telemetry: { topicGroups }, broker: { lifecycleEvents } }: Config): TapWishes {
  return { ...log, topicGroups, lifecycleEvents };
}

/** Renewed certificates count without a restart. Answers what ends it. */
function watch(files: TlsFiles, provider: HookProvider, { events, diagnostics }: Telemetry): () => void {
  const watching = watchTls(files, SECTION, {
    changed: (material) => {
      provider.replaceTls(material);
      diagnostics('info', 'The TLS files of the hook provider were reloaded.');
    },
    failed: (error) => {
      events.fault('The TLS files of the hook provider could not be reloaded; the ones before stay in force.', error);
    },
  });
  return () => {
    watching.close();
  };
}
