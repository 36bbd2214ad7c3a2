import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';

/** As whom the service connects to the broker. */
export interface BrokerUser {
  readonly username: string;
  readonly password?: string | undefined;
  /** Files in PEM. */
  readonly tls?: {
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
}

export interface BrokerAccess extends BrokerUser {
  /** `mqtt://HOST:PORT` or `mqtts://HOST:PORT`. */
  readonly url: string;
}

export type ProbeResult =
  | { readonly kind: 'arrived'; readonly milliseconds: number }
  /** No connection: the text is the broker's answer (`isRefused`: it does not let this client in) or the network's. */
  | { readonly kind: 'notConnected'; readonly why: string; readonly isRefused: boolean }
  /** The broker's answer to the PUBLISH, without the message itself having come back in time. */
  | { readonly kind: 'answered'; readonly reasonCode: number }
  | { readonly kind: 'silent' };

const NAME = 'tightbeam';
const TOPIC = `${NAME}/probe`;

/**
 * Sends one direct message to itself, as the service's user: through whatever decides and delivers, and back. Never rejects.
 *
 * @param timeoutMs for connecting, and again for the message.
 */
export async function probe(access: BrokerAccess, timeoutMs = 5_000): Promise<ProbeResult> {
  const clientId = `${NAME}-doctor-${randomUUID()}`;
  let client: MqttClient;
  try {
    client = await connectAsync(access.url, { ...options(access), clientId, connectTimeout: timeoutMs });
  } catch (error) {
    const { message, code } = error as Error & { code?: string | number };
    return { kind: 'notConnected', why: message || String(code), isRefused: code === 0x86 || code === 0x87 };
  }
  try {
    return await sendToSelf(client, clientId, timeoutMs);
  } finally {
    await client.endAsync(true);
  }
}

function options({ username, password, tls }: BrokerAccess): IClientOptions {
  const pem = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file));
  const [ca, cert, key] = [pem(tls?.ca), pem(tls?.cert), pem(tls?.key)];
  return {
    protocolVersion: 5,
    clean: true,
    reconnectPeriod: 0,
    username,
    ...(password === undefined ? {} : { password }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function sendToSelf(client: MqttClient, clientId: string, timeoutMs: number): Promise<ProbeResult> {
  const sent = performance.now();
  const nonce = randomUUID();
  let arrived = false;
  let reasonCode: number | undefined;
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve(reasonCode === undefined ? { kind: 'silent' } : { kind: 'answered', reasonCode });
    }, timeoutMs);
    const settle = (result: ProbeResult) => {
      clearTimeout(timer);
      resolve(result);
    };
    const progress = () => {
      if (arrived && reasonCode === 0) settle({ kind: 'arrived', milliseconds: performance.now() - sent });
      // A failure is final; a success without the message may overtake it.
      else if (reasonCode !== undefined && reasonCode !== 0) settle({ kind: 'answered', reasonCode });
    };
    client.on('message', (topic, payload) => {
      arrived ||= topic === TOPIC && payload.toString() === nonce;
      progress();
    });
    client.on('packetreceive', (packet) => {
      if (packet.cmd !== 'puback') return;
      reasonCode = packet.reasonCode ?? 0;
      progress();
    });
    client.on('error', (error) => {
      settle({ kind: 'notConnected', why: error.message, isRefused: false });
    });
    client.on('close', () => {
      settle({ kind: 'notConnected', why: 'the broker closed the connection', isRefused: false });
    });
    // The outcome is read off the PUBACK itself: MQTT.js takes 0x10 (no subscriber) for a success.
    client.publish(`$dm/${encodeURIComponent(clientId)}/${TOPIC}`, nonce, { qos: 1 }, () => undefined);
  });
}
