import type { MqttOutcome } from '../clients/outcome.js';
import { isUnderDirect, parseDirectTopic, type DirectAddress } from '../direct/topic.js';
import type { PresentedCredentials } from '../identity/authenticator.js';
import type { Identity } from '../identity/identity.js';
import { realFilter } from '../policy/matching/topics.js';
import type { OutcomeReport } from './outcome-report.js';
import type { ClientInfo, Message } from './wire.js';

/** Proto3 has no absent text: what is empty was not given. */
function textOf(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

/** The same as a property, which is absent where the text is. */
function given<Key extends string>(key: Key, value: string): Partial<Record<Key, string>> {
  return textOf(value) === undefined ? {} : ({ [key]: value } as Record<Key, string>);
}

/** What the broker says of a client, however it says it. */
type KnownOfClient = Pick<ClientInfo, 'clientid' | 'username' | 'peerhost' | 'peerport' | 'cn' | 'dn'>;

function sourceOf(info: KnownOfClient): Pick<PresentedCredentials, 'sourceIp' | 'sourcePort' | 'certificate'> {
  return {
    ...given('sourceIp', info.peerhost),
    ...(info.peerport > 0 ? { sourcePort: info.peerport } : {}),
    ...(hasCertificate(info) ? { certificate: { commonName: info.cn, ...given('distinguishedName', info.dn) } } : {}),
  };
}

/** A subject need not have a common name. */
function hasCertificate(info: KnownOfClient): boolean {
  return (info.cn !== '' || info.dn !== '') && !isFromProxy(info);
}

/**
 * Whether the name is no certificate's, but was told in a header of the PROXY protocol, version 2, which the broker
 * believes unverified, whatever the header says of that (and whoever reaches such a listener can write one). EMQX puts the
 * common name of the header into both fields, because the header holds no subject (esockd_peercert.erl of 5.8.9 and
 * 6.2.0, read). Of a certificate they differ: the subject is `CN=...` (recorded on both). EMQX asks for a certificate
 * only with `verify = verify_peer`, and then the handshake fails with one that its `cacertfile` does not vouch for.
 */
function isFromProxy({ cn, dn }: KnownOfClient): boolean {
  return cn !== '' && cn === dn;
}

/**
 * AWS IoT Device SDKs that log in by certificate put their version into the username (`?SDK=...`). It names nobody: no
 * principal may stand for what was never verified.
 */
function usernameOf({ username }: KnownOfClient): Partial<Record<'username', string>> {
  return username.startsWith('?') ? {} : given('username', username);
}

/** What a client claims, of OnClientAuthenticate. */
export function credentialsOf(info: ClientInfo): PresentedCredentials {
  return {
    clientId: info.clientid,
    ...usernameOf(info),
    ...given('password', info.password),
    ...sourceOf(info),
    ...(isFromProxy(info)
      ? {
          certificateFault: 'The name of one came in a header of the PROXY protocol, which the broker does not verify.',
        }
      : {}),
  };
}

/** Who a connected client is: the broker fills this from the CONNECT that was authenticated. */
export function identityOf(info: KnownOfClient): Identity {
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
  // One literal, without spreads: there is a sender for every direct message through MQTT.
  return {
    protocol: 'MQTT',
    clientId: textOf(sender.from),
    username: textOf(sender.username),
    sourceIp: textOf(sender.peerhost),
  };
}

/**
 * The topic of an OnClientAuthorize. With `authorization.include_mountpoint` (EMQX 6.1 and later; emqx_access_control.erl
 * of 6.2.0, read) the listener's mountpoint stands before it; ordinary topics are decided as EMQX asks, but a direct
 * topic is one all the same: else leave to publish under a mountpoint would be leave to send to any device.
 */
export function askedTopic(topic: string, mountpoint: string): string {
  if (mountpoint === '' || !topic.startsWith(mountpoint)) return topic;
  const own = topic.slice(mountpoint.length);
  return isUnderDirect(realFilter(own)) ? own : topic;
}

/**
 * The direct message that an OnClientAuthorize of SUBSCRIBE asks about. The broker asks with the receiver's own client
 * info, so a client can only be asked about itself: everything else under `$dm/`, wildcards too, is a real subscription.
 */
export function receivingOn(topic: string, { clientid }: ClientInfo): DirectAddress | undefined {
  const parsed = parseDirectTopic(topic);
  if (!parsed.ok || parsed.address.targetClientId !== clientid || /[+#]/.test(parsed.address.topic)) return undefined;
  return parsed.address;
}

/** One literal, without spreads, as there is one for every direct message through MQTT. */
export function outcomeOfReport(report: OutcomeReport): MqttOutcome {
  const { topic, reason, durationMs, endedAt, qos, payloadBytes, traceparent, details } = report;
  const parsed = parseDirectTopic(topic);
  return {
    sender: senderOf(report),
    message: {
      targetClientId: parsed.ok ? parsed.address.targetClientId : '',
      topic: parsed.ok ? parsed.address.topic : topic,
      confirmation: qos === undefined ? undefined : qos > 0,
      payloadBytes,
    },
    reason,
    durationMs,
    endedAt,
    traceparent,
    details,
  };
}

/** Of a direct message that nothing took out of routing; none where the topic was no direct one. */
export function outcomeWithoutPlugin({ topic, from, headers, qos, payload }: Message): MqttOutcome[] {
  const parsed = parseDirectTopic(topic);
  if (!parsed.ok) return [];
  return [
    {
      sender: senderOf({ from, ...headers }),
      message: { ...parsed.address, confirmation: qos > 0, payloadBytes: payload.length },
      reason: 'DELIVERY_PLUGIN_MISSING',
      durationMs: 0,
    },
  ];
}
