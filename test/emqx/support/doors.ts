import { expect } from '@jest/globals';
import type { MqttClient, Packet } from 'mqtt';
import { REASONS, type Reason } from '../../../src/reasons.js';
import type { Line } from '../../telemetry/capture.js';
import { type Bench, until } from './bench.js';
import { type Answer, direct } from './clients.js';

export interface Sent {
  readonly clientId: string;
  readonly topic?: string;
  readonly payload?: string | Buffer;
  /** false: at QoS 0, answered when it is handed over. */
  readonly confirmation?: boolean;
  /** Whole seconds, for both doors. */
  readonly timeout?: number;
}

/** A way into direct messages, which counts what it has sent and every answer that came. */
export interface Door {
  readonly name: 'HTTP' | 'MQTT';
  /** Sends, and settles with the answer as the door gives it. */
  send(sent: Sent): Promise<unknown>;
  /** What the door answers for a reason, by the table of reasons. */
  answerOf(reason: Reason): unknown;
  /** Answers to messages that had none to get, or had one already. */
  readonly surplus: readonly unknown[];
}

/** The HTTP API of the service, by the AWS SDK. */
export function httpDoor(bench: Bench): Door {
  return {
    name: 'HTTP',
    // One request, one response: HTTP itself allows no second.
    surplus: [],
    send: ({ clientId, ...options }) => bench.send(clientId, options),
    answerOf: (reason) => {
      const { http, exception } = REASONS[reason];
      return { status: http, ...(exception && { exception }) };
    },
  };
}

/** `$dm/`, by a client that may send. Messages may be sent without waiting for the answers of those before. */
export function mqttDoor(client: MqttClient): Door {
  const waiting = new Map<number, (answer: Answer) => void>();
  const surplus: unknown[] = [];
  client.on('packetreceive', (packet: Packet) => {
    if (packet.cmd !== 'puback') return;
    const resolve = waiting.get(packet.messageId ?? 0);
    if (resolve === undefined) surplus.push(packet);
    waiting.delete(packet.messageId ?? 0);
    resolve?.(packet.reasonCode ?? 0);
  });
  client.on('close', () => {
    for (const resolve of waiting.values()) resolve('closed');
    waiting.clear();
  });
  return {
    name: 'MQTT',
    surplus,
    send: ({ clientId, topic = 'cmd/test', payload = 'hello', confirmation = true, timeout }) =>
      new Promise<Answer>((resolve) => {
        const userProperties = {
          ...(confirmation ? {} : { 'dm-qos': '0' }),
          ...(timeout === undefined ? {} : { 'dm-timeout-ms': String(timeout * 1_000) }),
        };
        if (!client.connected) {
          resolve('closed');
          return;
        }
        // MQTT.js makes a malformed packet of user properties without one.
        const properties = Object.keys(userProperties).length > 0 ? { properties: { userProperties } } : {};
        client.publish(direct(clientId, topic), payload, { qos: 1, ...properties }, () => undefined);
        waiting.set(client.getLastMessageId(), resolve);
      }),
    answerOf: (reason) => REASONS[reason].mqtt,
  };
}

/**
 * What was sent, by the devices it was for: so that each message can be seen to have been told once, neither less nor more.
 * A device must be of one test.
 */
export class Ledger {
  readonly #sent = new Map<string, number>();
  readonly #doors = new Set<Door>();

  constructor(private readonly bench: Bench) {}

  async send(door: Door, sent: Sent): Promise<unknown> {
    this.#sent.set(sent.clientId, (this.#sent.get(sent.clientId) ?? 0) + 1);
    this.#doors.add(door);
    return door.send(sent);
  }

  /**
   * Sends, and holds answer and log line against the reason.
   *
   * @returns how long the answer took, in milliseconds.
   */
  async expect(door: Door, sent: Sent, reason: Reason): Promise<number> {
    const before = this.#lines(sent.clientId).length;
    const start = performance.now();
    expect(await this.send(door, sent)).toEqual(door.answerOf(reason));
    const elapsed = performance.now() - start;
    await until(() => this.#lines(sent.clientId).length > before);
    expect(this.#lines(sent.clientId)[before]).toMatchObject({ reason });
    return elapsed;
  }

  /**
   * Every message sent so far has one log line, and no more than one answer has come.
   *
   * @param reporters doors at each node: a node tells the service in the order in which messages ended there, so what
   * comes after these last messages comes too late to be counted.
   */
  async settle(reporters: readonly Door[]): Promise<void> {
    const clientId = `nobody-${Math.random().toString(36).slice(2)}`;
    for (const door of reporters) await this.send(door, { clientId });
    const lines = (target: string) => this.#lines(target).length;
    await until(() => [...this.#sent].every(([target, count]) => lines(target) >= count));
    expect(Object.fromEntries([...this.#sent.keys()].map((target) => [target, lines(target)]))).toEqual(
      Object.fromEntries(this.#sent),
    );
    expect([...this.#doors].flatMap(({ surplus }) => surplus)).toEqual([]);
    this.#sent.clear();
  }

  #lines(clientId: string): Line[] {
    return this.bench.log.filter(
      (line) => line['eventType'] === 'SendDirectMessage' && line['targetClientId'] === clientId,
    );
  }
}
