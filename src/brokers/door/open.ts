import type { Broker, BrokerSetting } from '../broker.js';
import { openLink } from '../link/link.js';
import { readTls } from '../link/tls.js';
import { brokerAddress } from './broker-address.js';
import { Door } from './door.js';
import { Gate } from './gate.js';
import { openListeners } from './listeners/open.js';
import { DoorOperations } from './operations.js';

/** The door before an MQTT broker elsewhere, and the service's connections through it, by a way in of their own. */
export async function openDoor(setting: BrokerSetting): Promise<Broker> {
  const { config, clients, diagnostics, limits, perReceiver } = setting;
  const { authenticatedBy, connectTimeoutMs, packetBytes } = config.door;
  const door = new Door({
    broker: brokerAddress(config.broker.urls[0] as string, readTls(config.broker.tls)),
    gate: new Gate(clients, { authenticatedBy, logged: config.log }),
    diagnostics,
    limits,
    perReceiver,
    connectTimeoutMs,
    packetBytes,
  });
  const listeners = await openListeners(config.door, door, diagnostics);
  const link = openLink(setting, [`mqtt://127.0.0.1:${listeners.internalPort}`]);
  const { delivery, publisher } = link;
  return {
    delivery,
    publisher,
    operations: new DoorOperations(door, config.broker),
    ports: listeners.ports,
    get ready() {
      return delivery.ready;
    },
    get inFlight() {
      return delivery.inFlight;
    },
    get load() {
      return door.load;
    },
    close: async () => {
      await link.close();
      const closed = listeners.close();
      door.close();
      await closed;
    },
  };
}
