import type { BrokerSetting } from '../broker.js';
import { DirectLink } from './direct-link.js';
import { MqttPublisher } from './publisher.js';
import { readTls } from './tls.js';

/** The service's MQTT connections to one broker. */
export interface Link {
  readonly delivery: DirectLink;
  readonly publisher: MqttPublisher;
  close(): Promise<void>;
}

/** Connects as the service's own user to a broker that takes direct messages on `$dm/`. */
export function openLink({ config, onConnection }: BrokerSetting, urls: readonly string[]): Link {
  const { username, password, connections, maxConnections } = config.broker;
  const access = {
    urls,
    username,
    ...(password !== undefined && { password }),
    tls: readTls(config.broker.tls),
  };
  const delivery = new DirectLink({ ...access, connections, maxConnections, onConnection });
  const publisher = new MqttPublisher(access);
  return {
    delivery,
    publisher,
    close: async () => {
      await Promise.all([delivery.close(), publisher.close()]);
    },
  };
}
