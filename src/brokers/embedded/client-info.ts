import type { IConnectPacket } from 'mqtt-packet';
import type { Socket } from 'node:net';
import type { ClientInfo, ConnInfo, Property } from '../../exhook/wire.js';
import { pairsOf } from '../direct/user-properties.js';

/** Where a connection comes from and arrives at; read once, because a closed socket has forgotten it. */
export interface Endpoints {
  readonly peerhost: string;
  readonly peerport: number;
  readonly sockport: number;
}

export function endpointsOf(socket: Socket): Endpoints {
  return {
    // IPv4 on a dual-stack listener comes as `::ffff:10.0.0.1`.
    peerhost: (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, ''),
    peerport: socket.remotePort ?? 0,
    sockport: socket.localPort ?? 0,
  };
}

/** As EMQX fills it before authentication. */
export function connInfo(node: string, endpoints: Endpoints, connect: IConnectPacket): ConnInfo {
  return {
    node,
    clientid: connect.clientId,
    username: connect.username ?? '',
    ...endpoints,
    proto_name: connect.protocolId ?? 'MQTT',
    proto_ver: String(connect.protocolVersion ?? 4),
    keepalive: connect.keepalive ?? 0,
  };
}

/** As EMQX fills it from authentication on; the password only for the authentication itself. */
export function clientInfo(
  node: string,
  endpoints: Endpoints,
  clientId: string,
  username: string | undefined,
): ClientInfo {
  return {
    node,
    clientid: clientId,
    username: username ?? '',
    password: '',
    ...endpoints,
    protocol: 'mqtt',
    mountpoint: '',
    is_superuser: false,
    anonymous: true,
    cn: '',
    dn: '',
  };
}

type Properties = Readonly<Record<string, unknown>>;

/** MQTT 5 properties under the names of EMQX. User properties are one Erlang term, as generation 2 of ExHook has it. */
export function properties(of: Properties | undefined): Property[] {
  return Object.entries(of ?? {}).map(([name, value]) =>
    name === 'userProperties'
      ? { name: 'User-Property', value: erlangPairs(value) }
      : { name: emqxName(name), value: text(value) },
  );
}

/** `sessionExpiryInterval` is `Session-Expiry-Interval`. */
function emqxName(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').replace(/^./, (first) => first.toUpperCase());
}

function text(value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  return String(value);
}

function erlangPairs(userProperties: unknown): string {
  const binary = (part: string): string => `<<${JSON.stringify(part)}>>`;
  const pairs = pairsOf(userProperties).map(([name, value]) => `{${binary(name)},${binary(value)}}`);
  return `[${pairs.join(',')}]`;
}
