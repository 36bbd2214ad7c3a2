import type { Credentials } from '../identity/authenticator.js';
import type { Identity } from '../identity/identity.js';
import type { ClientInfo } from './wire.js';

/** Proto3 has no absent text: what is empty was not given. */
function given<Key extends string>(key: Key, value: string | undefined): Partial<Record<Key, string>> {
  return value === undefined || value === '' ? {} : ({ [key]: value } as Record<Key, string>);
}

function sourceOf(info: ClientInfo): Pick<Credentials, 'sourceIp' | 'sourcePort' | 'certificate'> {
  return {
    ...given('sourceIp', info.peerhost),
    ...(info.peerport > 0 ? { sourcePort: info.peerport } : {}),
    ...(hasCertificate(info) ? { certificate: { commonName: info.cn, ...given('distinguishedName', info.dn) } } : {}),
  };
}

/** A subject need not have a common name. */
function hasCertificate({ cn, dn }: ClientInfo): boolean {
  return cn !== '' || dn !== '';
}

/**
 * AWS IoT Device SDKs that log in by certificate put their version into the username (`?SDK=...`). It names nobody: no
 * principal may stand for what was never verified.
 */
function usernameOf({ username }: ClientInfo): Partial<Record<'username', string>> {
  return username.startsWith('?') ? {} : given('username', username);
}

/** What a client claims, of OnClientAuthenticate. */
export function credentialsOf(info: ClientInfo, acceptedByBroker: boolean): Credentials {
  return {
    clientId: info.clientid,
    ...usernameOf(info),
    ...given('password', info.password),
    ...sourceOf(info),
    acceptedByBroker,
  };
}

/** Who a connected client is: the broker fills this from the CONNECT that was authenticated. */
export function identityOf(info: ClientInfo): Identity {
  return {
    protocol: 'MQTT',
    clientId: info.clientid,
    ...usernameOf(info),
    ...sourceOf(info),
    // The broker tells of TLS only by the client certificate; without one it is not known.
    ...(hasCertificate(info) ? { secureTransport: true } : {}),
  };
}

/** Who sent a message, as far as a broker tells it of messages. */
export function senderOf(sender: {
  from: string;
  username?: string | undefined;
  peerhost?: string | undefined;
}): Identity {
  const { from, username, peerhost } = sender;
  // Nearly every sender has all three, and a literal is made several times as fast as one put together.
  if (from && username && peerhost) return { protocol: 'MQTT', clientId: from, username, sourceIp: peerhost };
  return {
    protocol: 'MQTT',
    ...given('clientId', from),
    ...given('username', username),
    ...given('sourceIp', peerhost),
  };
}
