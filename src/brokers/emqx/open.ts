import type { Broker, BrokerSetting } from '../broker.js';
import { openLink } from '../link/link.js';
import { EmqxOperations } from './operations.js';
import { EmqxRest } from './rest.js';

/** EMQX with the delivery plugin, elsewhere. What its MQTT connections cannot be asked goes to its management API. */
export function openEmqx(setting: BrokerSetting): Broker {
  const { urls, api } = setting.config.broker;
  const link = openLink(setting, urls);
  const { delivery, publisher } = link;
  return {
    delivery,
    publisher,
    operations: new EmqxOperations(api && new EmqxRest(api)),
    get ready() {
      return delivery.ready;
    },
    get inFlight() {
      return delivery.inFlight;
    },
    close: () => link.close(),
  };
}
