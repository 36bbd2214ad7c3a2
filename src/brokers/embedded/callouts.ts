import type { IConnectPacket, ISubscribePacket, IUnsubscribePacket } from 'mqtt-packet';
import type { ClientInfo, SubOpts } from '../../exhook/wire.js';
import { connInfo, properties } from './client-info.js';
import type { ClientConnection } from './client-connection.js';
import type { ExhookClient } from './exhook-client.js';

/** What the session of an admitted client is, in view of what was there before. */
export type SessionStart =
  | { readonly kind: 'created' }
  /** An earlier session is thrown away (Clean Start, MQTT 5, section 3.1.2.4), or carried on. */
  | {
      readonly kind: 'discarded' | 'resumed';
      readonly earlier: ClientInfo;
      readonly live: ClientConnection | undefined;
    };

/** The hook calls of a broker, with the fields and in the order of EMQX. Each resolves when the provider has answered. */
export class Callouts {
  readonly #exhook: ExhookClient;
  readonly #node: string;

  constructor(exhook: ExhookClient, node: string) {
    this.#exhook = exhook;
    this.#node = node;
  }

  async clientConnect(connection: ClientConnection, connect: IConnectPacket): Promise<void> {
    if (!this.#exhook.wants('client.connect')) return;
    await this.#exhook.call('OnClientConnect', {
      conninfo: connInfo(this.#node, connection.endpoints, connect),
      props: properties(connect.properties),
    });
  }

  /** False too where nobody decides: without a provider nobody gets in. */
  async clientAuthenticate(info: ClientInfo, password: string): Promise<boolean> {
    if (!this.#exhook.wants('client.authenticate')) return false;
    const answer = await this.#exhook.call('OnClientAuthenticate', {
      clientinfo: { ...info, password },
      result: false,
    });
    return answer?.type !== 'IGNORE' && answer?.bool_result === true;
  }

  async sessionStart(info: ClientInfo, start: SessionStart): Promise<void> {
    switch (start.kind) {
      case 'created':
        break;
      case 'discarded':
        if (start.live !== undefined) await this.clientDisconnected(start.live, 'discarded');
        await this.#ofSession('session.discarded', 'OnSessionDiscarded', start.earlier);
        break;
      case 'resumed':
        await this.#ofSession('session.resumed', 'OnSessionResumed', info);
        if (start.live !== undefined) await this.clientDisconnected(start.live, 'takenover');
        await this.#ofSession('session.takenover', 'OnSessionTakenover', start.earlier);
        return;
    }
    await this.#ofSession('session.created', 'OnSessionCreated', info);
  }

  async clientConnected(connection: ClientConnection, info: ClientInfo): Promise<void> {
    connection.announced = true;
    if (this.#exhook.wants('client.connected')) await this.#exhook.call('OnClientConnected', { clientinfo: info });
  }

  async clientConnack(connection: ClientConnection, resultCode: 'success' | 'not_authorized'): Promise<void> {
    const { connect } = connection;
    if (connect === undefined || !this.#exhook.wants('client.connack')) return;
    const granted = connect.protocolVersion === 5 && resultCode === 'success';
    await this.#exhook.call('OnClientConnack', {
      conninfo: connInfo(this.#node, connection.endpoints, connect),
      result_code: resultCode,
      props: granted ? properties({ sharedSubscriptionAvailable: false }) : [],
    });
  }

  async clientDisconnected(connection: ClientConnection, reason: string): Promise<void> {
    if (!connection.announced || connection.info === undefined) return;
    connection.announced = false;
    if (!this.#exhook.wants('client.disconnected')) return;
    await this.#exhook.call('OnClientDisconnected', { clientinfo: connection.info, reason });
  }

  async sessionTerminated(info: ClientInfo, reason: string): Promise<void> {
    if (!this.#exhook.wants('session.terminated')) return;
    await this.#exhook.call('OnSessionTerminated', { clientinfo: info, reason: `{shutdown,${reason}}` });
  }

  async subscribed(
    info: ClientInfo,
    packet: ISubscribePacket,
    granted: ISubscribePacket['subscriptions'],
  ): Promise<void> {
    if (this.#exhook.wants('client.subscribe')) {
      await this.#exhook.call('OnClientSubscribe', {
        clientinfo: info,
        props: properties(packet.properties),
        topic_filters: granted.map((subscription) => ({ name: subscription.topic, subopts: subOpts(subscription) })),
      });
    }
    if (!this.#exhook.wants('session.subscribed')) return;
    for (const subscription of granted) {
      await this.#exhook.call('OnSessionSubscribed', {
        clientinfo: info,
        topic: subscription.topic,
        subopts: subOpts(subscription),
      });
    }
  }

  async unsubscribed(info: ClientInfo, packet: IUnsubscribePacket): Promise<void> {
    if (this.#exhook.wants('client.unsubscribe')) {
      await this.#exhook.call('OnClientUnsubscribe', {
        clientinfo: info,
        props: properties(packet.properties),
        topic_filters: packet.unsubscriptions.map((name) => ({ name, subopts: { qos: 0, rh: 0, rap: 0, nl: 0 } })),
      });
    }
    if (!this.#exhook.wants('session.unsubscribed')) return;
    for (const topic of packet.unsubscriptions) {
      await this.#exhook.call('OnSessionUnsubscribed', { clientinfo: info, topic });
    }
  }

  async #ofSession(
    hook: 'session.created' | 'session.resumed' | 'session.discarded' | 'session.takenover',
    call: 'OnSessionCreated' | 'OnSessionResumed' | 'OnSessionDiscarded' | 'OnSessionTakenover',
    info: ClientInfo,
  ): Promise<void> {
    if (this.#exhook.wants(hook)) await this.#exhook.call(call, { clientinfo: info });
  }
}

function subOpts({ qos, rh, rap, nl }: ISubscribePacket['subscriptions'][number]): SubOpts {
  return { qos, rh: rh ?? 0, rap: Number(rap ?? false), nl: Number(nl ?? false) };
}
