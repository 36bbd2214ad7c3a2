import { connect as connectSocket, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { BrokerAddress } from './broker-address.js';

/** A new connection to the broker. */
export function dialBroker(broker: BrokerAddress): Duplex {
  switch (broker.kind) {
    case 'unix':
      return connectSocket({ path: broker.path });
    case 'tcp':
      return connectSocket({ host: broker.host, port: broker.port, noDelay: true });
    case 'tls': {
      const { host, port, tls } = broker;
      // A name for the certificate; addresses have none (RFC 6066, section 3).
      const socket = connectTls({ ...tls, host, port, ...(isIP(host) === 0 && { servername: host }) });
      socket.setNoDelay(true);
      return socket;
    }
  }
}
