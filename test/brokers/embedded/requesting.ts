import { expect } from '@jest/globals';
import type { IPublishPacket } from 'mqtt-packet';
import { OUTCOME_TOPIC } from '../../../src/brokers/direct/outcome-message.js';
import { forMqttPacket, toUserProperties } from '../../../src/brokers/link/properties.js';
import { startBroker, type RawClient, type Running, type StartOptions } from './harness.js';

export const ANSWERS = 'answers/lock-17';
export const CORRELATION = Buffer.from('one of them');

export interface Asking {
  readonly id?: string;
  readonly traceId?: string;
  readonly timeoutMs?: number;
  readonly correlation?: Buffer;
  readonly responseTopic?: string;
  readonly from?: RawClient;
}

/** A broker, a device that does nothing by itself, and a connection of the service. */
export class RequestStage {
  running!: Running;
  device!: RawClient;
  service!: RawClient;
  #packetIds = 0;

  async start(options: StartOptions = {}, version: 4 | 5 = 5): Promise<void> {
    this.running = await startBroker(options);
    this.device = await this.running.raw('lock-17', { protocolVersion: version });
    this.service = await this.connectService();
    this.#packetIds = 0;
  }

  connectService(clientId = 'service'): Promise<RawClient> {
    return this.running.raw(clientId, { username: 'tightbeam', password: Buffer.from('secret') });
  }

  /** Sends a request, and answers its packet identifier. */
  ask({
    id,
    traceId = '1'.repeat(32),
    timeoutMs = 15_000,
    correlation = CORRELATION,
    responseTopic = ANSWERS,
    from = this.service,
  }: Asking = {}): number {
    this.#packetIds += 1;
    const pairs = [
      ['dm-request', '1'],
      ['dm-timeout-ms', String(timeoutMs)],
      ...(id === undefined ? [] : [['dm-id', id] as const]),
      ['dm-principal', 'backend'],
      ['dm-trace-id', traceId],
    ] as const;
    const properties = {
      ...forMqttPacket({ userProperties: toUserProperties(pairs) }),
      responseTopic,
      correlationData: correlation,
    };
    from.publish('$dm/lock-17/cmd/state', this.#packetIds, { payload: 'state?', properties });
    return this.#packetIds;
  }

  /** The device takes the next request, and acknowledges it. */
  async take(): Promise<IPublishPacket> {
    const packet = await this.device.next('publish');
    this.device.acknowledge(packet);
    return packet;
  }

  /** The device publishes; `null` gives no Correlation Data. */
  answer(
    payload = 'open',
    correlationData: Buffer | null = CORRELATION,
    packet: Partial<IPublishPacket> = {},
    from = this.device,
  ): void {
    const properties = { ...(correlationData && { correlationData }), ...packet.properties };
    const defaults = { cmd: 'publish', topic: ANSWERS, payload, qos: 0, dup: false, retain: false } as const;
    from.send({ ...defaults, ...packet, properties });
  }

  /** What comes next on `$dm/outcome`, with the code of the PUBACK behind it. */
  async outcome(of = this.service): Promise<Record<string, unknown>> {
    const { topic, payload } = await of.next('publish');
    expect(topic).toBe(OUTCOME_TOPIC);
    const { reasonCode = 0 } = await of.next('puback');
    return { ...(JSON.parse(payload.toString()) as object), reasonCode };
  }

  async expectNothing(of = this.device): Promise<void> {
    await of.settled();
    expect(of.received.filter(({ cmd }) => cmd === 'publish')).toEqual([]);
  }
}

/** An answer as the service is told of it. */
export const response = (payload: string) => ({ topic: ANSWERS, payload: Buffer.from(payload).toString('base64') });
