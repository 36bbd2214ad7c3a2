import type { Config } from '../../../config/schema.js';
import { networks } from '../../../networks.js';
import type { Diagnostics } from '../../../observing/diagnostics.js';
import { loadTls, watchTls, type TlsFiles } from '../../../tls/files.js';
import type { BrokerPorts } from '../../broker.js';
import { Code } from '../codes.js';
import type { Door } from '../door.js';
import { Listener, type ListenerOptions, type ListenerTls } from './listener.js';

/** The section of the configuration, for the words of errors. */
const SECTION = 'door.tls';

/** The addresses of the door. */
export interface Listeners {
  readonly ports: BrokerPorts;
  /** Where the service itself, and nobody else, is let in. */
  readonly internalPort: number;
  /** Takes no more clients. Resolves when there are none left. */
  close(): Promise<void>;
}

/** @throws where an address cannot be listened on, or the TLS files do not fit together. */
export async function openListeners(
  config: Config['door'],
  door: Pick<Door, 'accept' | 'expel' | 'limits'>,
  diagnostics: Diagnostics,
): Promise<Listeners> {
  const { tls, webSocket, secureWebSocket } = config;
  const { connectTimeoutMs: timeoutMs, packetBytes: messageBytes } = door.limits;
  const opened: Listener[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((listener) => listener.close()));
  };
  const proxies = config.proxies.length === 0 ? undefined : networks(config.proxies);

  async function open(
    { host, port }: { readonly host: string; readonly port: number },
    options: Pick<ListenerOptions, 'tls' | 'webSocket' | 'internal' | 'proxies'>,
  ): Promise<number> {
    const listener = new Listener({
      diagnostics,
      timeoutMs,
      accept: (stream, endpoints) => {
        door.accept(stream, endpoints);
      },
      ...options,
    });
    const bound = await listener.listen(host, port);
    opened.push(listener);
    return bound;
  }

  try {
    const secure = tls && readTls(tls);
    const internalPort = await open({ host: '127.0.0.1', port: 0 }, { internal: true });
    const ports: BrokerPorts = {
      mqtt: await open(config, { proxies }),
      ...(tls && { mqtts: await open(tls, { proxies, tls: secure }) }),
      ...(webSocket && {
        ws: await open(webSocket, { proxies, webSocket: { path: webSocket.path, messageBytes } }),
      }),
      ...(secureWebSocket && {
        wss: await open(secureWebSocket, {
          proxies,
          tls: secure,
          webSocket: { path: secureWebSocket.path, messageBytes },
        }),
      }),
    };
    const watch = tls && watchFiles(filesOf(tls), opened, door, diagnostics);
    return {
      ports,
      internalPort,
      close: () => {
        watch?.close();
        return close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type TlsSection = NonNullable<Config['door']['tls']>;

function readTls(section: TlsSection): ListenerTls {
  return { material: loadTls(filesOf(section), SECTION), optionalCertificate: !section.requireCertificate };
}

function filesOf({ cert, key, clientCa, clientCrl }: TlsSection): TlsFiles {
  return { cert, key, clientCa, clientCrl };
}

/** Renewed certificates count without a restart; whom an authority that is gone has vouched for has to go. */
function watchFiles(
  files: TlsFiles,
  listeners: readonly Listener[],
  door: Pick<Door, 'expel'>,
  diagnostics: Diagnostics,
): { close(): void } {
  return watchTls(files, SECTION, {
    changed: (material) => {
      const withdrawn = listeners.map((listener) => listener.replaceTls(material));
      diagnostics('info', 'The TLS files of the door were reloaded.');
      if (!withdrawn.includes(true)) return;
      door.expel(({ certificate }) => certificate !== undefined, Code.NOT_AUTHORIZED, 'not_authorized');
    },
    failed: (error) => {
      diagnostics('error', 'The TLS files of the door could not be reloaded; the ones before stay in force.', {
        error: String(error),
      });
    },
  });
}
