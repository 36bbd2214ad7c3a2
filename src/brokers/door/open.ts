import { LifecycleEvents, type PublishLifecycle } from '../../clients/lifecycle.js';
import type { Publisher } from '../../operations/broker.js';
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
  // Clients connect through the door before the service does.
  let publish: PublishLifecycle = () => undefined;
  const lifecycle = config.broker.lifecycleEvents
    ? new LifecycleEvents((topic, payload) => {
        publish(topic, payload);
      })
    : undefined;
  const door = new Door({
    broker: brokerAddress(config.broker.urls[0] as string, readTls(config.broker.tls)),
    gate: new Gate(clients, { authenticatedBy, logged: config.log, lifecycle }),
    diagnostics,
    limits,
    perReceiver,
    connectTimeoutMs,
    packetBytes,
  });
  const listeners = await openListeners(config.door, door, diagnostics);
  const link = openLink(setting, [`mqtt://127.0.0.1:${listeners.internalPort}`]);
  const { delivery, publisher } = link;
  publish = publishingBy(publisher, setting);
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

/** On the connection that the service publishes on, one for the one address, so that they stay in order. */
function publishingBy(publisher: Publisher, { diagnostics }: BrokerSetting): PublishLifecycle {
  return (topic, payload) => {
    publisher.publish({ topic, payload, qos: 1, retain: false, properties: {} }).catch((error: unknown) => {
      diagnostics('warn', 'A lifecycle event could not be published.', { topic, error: String(error) });
    });
  };
}
