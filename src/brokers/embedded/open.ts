import { ConfigError } from '../../config/load.js';
import { VERSION } from '../../version.js';
import type { Broker, BrokerSetting } from '../broker.js';
import { openLink } from '../link/link.js';
import { loadEmbeddedBroker } from './load.js';

/** The embedded broker, and the service's connections to it as to any other. */
export async function openEmbedded(setting: BrokerSetting): Promise<Broker> {
  const { config, exhookPort, diagnostics, limits, perReceiver } = setting;
  if (config.exhook.tls !== undefined) {
    throw new ConfigError(['exhook.tls: the embedded broker calls the hook provider in clear text, leave it out']);
  }
  const { createEmbeddedBroker } = await loadEmbeddedBroker();
  const broker = createEmbeddedBroker({
    exhookAddress: `127.0.0.1:${exhookPort}`,
    ...config.embedded,
    serviceUsername: config.broker.username,
    lifecycleEvents: config.broker.lifecycleEvents,
    diagnostics,
    version: VERSION,
    limits,
    perReceiver,
  });
  const port = await broker.start();
  const link = openLink(setting, [`mqtt://127.0.0.1:${port}`]);
  const { delivery, publisher } = link;
  // It is there: who asks as soon as the service is ready need not be told that it is not reachable yet.
  await Promise.all([delivery.whenReady(), publisher.whenReady()]);
  return {
    delivery,
    publisher,
    operations: broker.operations,
    ports: { mqtt: port },
    get ready() {
      return delivery.ready;
    },
    get inFlight() {
      return delivery.inFlight;
    },
    get load() {
      return broker.load;
    },
    close: async () => {
      await link.close();
      await broker.close();
    },
  };
}
