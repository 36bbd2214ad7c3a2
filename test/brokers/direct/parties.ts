import { afterEach, beforeEach, expect, jest } from '@jest/globals';
import { parser, type IPublishPacket, type Packet } from 'mqtt-packet';
import { Dispatcher, type DispatchContext } from '../../../src/brokers/direct/dispatch.js';
import type { Party, PendingMessage } from '../../../src/brokers/direct/message.js';
import { OUTCOME_TOPIC } from '../../../src/brokers/direct/outcome-message.js';
import { Receiver, type Outlet, type ReceiverLimits } from '../../../src/brokers/direct/receiver.js';
import { forMqttPacket, toUserProperties } from '../../../src/brokers/link/properties.js';
import { DEFAULT_LIMITS } from '../../../src/direct/limits.js';
import type { Reason } from '../../../src/reasons.js';

/** Packets that were written, parsed. */
class Written {
  readonly packets: Packet[] = [];
  readonly #parser = parser({ protocolVersion: 5 });

  constructor() {
    this.#parser.on('packet', (packet) => this.packets.push(packet));
  }

  readonly write = (bytes: Buffer): void => {
    this.#parser.parse(bytes);
  };

  /** Takes those of one kind that have come so far. */
  take<Cmd extends Packet['cmd']>(cmd: Cmd): Extract<Packet, { cmd: Cmd }>[] {
    const taken = this.packets.filter((packet) => packet.cmd === cmd);
    this.packets.splice(0, Infinity, ...this.packets.filter((packet) => packet.cmd !== cmd));
    return taken as Extract<Packet, { cmd: Cmd }>[];
  }
}

/** A device without a socket: what it is sent stands in `received`. */
export class Device extends Written implements Outlet {
  version = 5 as const;
  maximumPacketSize: number | undefined;
  receiveMaximum = 65_535;
  closed = false;
  unsentBytes = 0;
  hasRoom = true;
  readonly inUse = new Set<number>();
  readonly party: Party & { receiver: Receiver };
  #lastId = 0;

  constructor(dispatcher: Dispatcher, limits: Partial<ReceiverLimits> = {}, receiveMaximum = 65_535) {
    super();
    this.receiveMaximum = receiveMaximum;
    const all = { window: 32, queue: 1_000, sendBufferBytes: 1_048_576, ...limits };
    this.party = { ...party(), receiver: new Receiver(this, dispatcher.pending, all) };
  }

  takePacketId(): number {
    this.inUse.add(++this.#lastId);
    return this.#lastId;
  }

  releasePacketId(id: number): void {
    this.inUse.delete(id);
  }

  acknowledge(messageId: number | undefined, reasonCode = 0): boolean {
    return this.party.receiver.acknowledge({ cmd: 'puback', messageId: messageId ?? 0, reasonCode });
  }
}

function party(overrides: Partial<Party> = {}): Party {
  return {
    isMqtt5: true,
    isService: false,
    closed: false,
    sent: new Map<number, PendingMessage>(),
    receiver: undefined,
    origin: { clientId: 'backend', username: 'backend', sourceIp: '10.0.0.1' },
    write: () => undefined,
    end: () => undefined,
    ...overrides,
  };
}

/** A sender without a socket: what it is answered stands in `packets`. */
export class Backend extends Written {
  readonly ended: number[] = [];
  readonly party: Party;
  #lastId = 0;

  constructor(
    readonly dispatcher: Dispatcher,
    overrides: Partial<Party> = {},
  ) {
    super();
    this.party = party({ write: this.write, end: (code) => this.ended.push(code), ...overrides });
  }

  /** Sends a direct message, and answers its packet identifier. */
  send(controls: Readonly<Record<string, string>> = {}, packet: Partial<IPublishPacket> = {}): number {
    const messageId = ++this.#lastId;
    this.dispatcher.publish(this.party, {
      cmd: 'publish',
      topic: '$dm/lock-17/cmd/open',
      payload: Buffer.from('open'),
      qos: 1,
      dup: false,
      retain: false,
      messageId,
      properties: forMqttPacket({ userProperties: toUserProperties(Object.entries(controls)) }),
      ...packet,
    });
    return messageId;
  }

  /** The PUBACKs so far: packet identifier and code of each. */
  answers(): [number | undefined, number][] {
    return this.take('puback').map(({ messageId, reasonCode = 0 }) => [messageId, reasonCode]);
  }
}

/** A dispatcher with one device, `lock-17`, at the most; it remembers what it reported. */
export function dispatching(context: Partial<DispatchContext> = {}) {
  const reports: Reason[] = [];
  const details: (string | undefined)[] = [];
  const connections = new Map<string, Party>();
  const dispatcher = new Dispatcher({
    limits: DEFAULT_LIMITS,
    connectionOf: (clientId) => connections.get(clientId),
    hasSession: () => false,
    authorize: () => true,
    report: (_message, reason, why) => {
      reports.push(reason);
      details.push(why);
    },
    ...context,
  });
  const join = (device: Device): Device => {
    connections.set('lock-17', device.party);
    return device;
  };
  return { dispatcher, reports, details, connections, join };
}

/** Every test of the file runs on a clock of its own, and leaves no timer behind. */
export function useFakeClock(): void {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    // Nothing that was answered has a timer left.
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
}

/** What a backend was told on the outcome topic since it was last asked. */
export function outcomes(backend: Backend): unknown[] {
  return backend.take('publish').map(({ topic, payload }) => {
    expect(topic).toBe(OUTCOME_TOPIC);
    return JSON.parse(payload.toString()) as unknown;
  });
}
