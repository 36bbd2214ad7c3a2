import type { Broker, BrokerSetting } from '../broker.js';
import { openLink } from '../link/link.js';
import { readTls } from '../link/tls.js';
import { brokerAddress } from './broker-address.js';
import { Door } from './door.js';
import { Gate } from './gate.js';
import { DoorOperations } from './operations.js';

/** The door before an MQTT broker elsewhere, and the service's connections through it, by a way in of their own. */
export async function openDoor(setting: BrokerSetting): Promise<Broker> {
  const { config, clients, diagnostics, limits, perReceiver } = setting;
  const { host, port, authenticatedBy, connectTimeoutMs, packetBytes } = config.door;
  const door = new Door({
    broker: brokerAddress(config.broker.urls[0] as string, readTls(config.broker.tls)),
    gate: new Gate(clients, authenticatedBy),
    diagnostics,
    limits,
    perReceiver,
    connectTimeoutMs,
    packetBytes,
  });
  const inside = await door.listen('127.0.0.1', 0, true);
  let outside: number;
  try {
    outside = await door.listen(host, port);
  } catch (error) {
    await door.close();
    throw error;
  }
  const link = openLink(setting, [`mqtt://127.0.0.1:${inside}`]);
  const { delivery, publisher } = link;
  return {
    delivery,
    publisher,
    operations: new DoorOperations(door),
    port: outside,
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
      await door.close();
    },
  };
}
