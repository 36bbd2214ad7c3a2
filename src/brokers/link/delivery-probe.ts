import type { IPublishPacket } from 'mqtt';
import { CONTROL_TIMEOUT } from '../../direct/controls.js';
import { formatDirectTopic } from '../../direct/topic.js';
import { PubackCode } from '../../reasons.js';
import { OUTCOME_TOPIC, readOutcome, type ToldOutcome } from '../direct/outcome-message.js';
import type { Answer } from './answer.js';
import { toUserProperties } from './properties.js';
import type { ExaminedConnection, Fitness, Purpose } from './purpose.js';

const TIMEOUT_MS = 2_500;
const TOPIC = 'tightbeam/probe';

/** Is there something in the broker that delivers? Asked by a direct message to the connection's own client ID. */
export class DeliveryProbe implements Purpose {
  readonly clientIdPrefix = 'tightbeam';
  #echoed = false;

  constructor(private readonly username: string) {}

  received({ topic, payload }: IPublishPacket): ToldOutcome | undefined {
    if (topic === TOPIC) this.#echoed = true;
    return topic === OUTCOME_TOPIC ? readOutcome(payload) : undefined;
  }

  async examine(connection: ExaminedConnection): Promise<Fitness> {
    this.#echoed = false;
    const answer = await connection.publish({
      topic: formatDirectTopic({ targetClientId: connection.clientId, topic: TOPIC }),
      payload: new Uint8Array(),
      qos: 1,
      retain: false,
      properties: { userProperties: toUserProperties([[CONTROL_TIMEOUT, String(TIMEOUT_MS)]]) },
      timeoutMs: TIMEOUT_MS,
    });
    if (answer === 'lost' || answer === 'unsent') return { state: 'lost' };
    const code = typeof answer === 'object' ? answer.code : undefined;
    if (code === PubackCode.Success && this.#hasEchoed()) {
      return { state: 'ready', details: 'a direct message to its own client ID was delivered' };
    }
    if (code === PubackCode.NotAuthorized) {
      return { state: 'refused', details: `the broker does not let ${this.username} publish to $dm/#` };
    }
    return { state: 'pluginMissing', details: `a direct message to its own client ID was ${describe(answer)}` };
  }

  /** Set by the packet that arrived while the probe was waited for. */
  #hasEchoed(): boolean {
    return this.#echoed;
  }
}

function describe(answer: Exclude<Answer, 'lost' | 'unsent'>): string {
  if (answer === 'overdue') return 'not answered';
  if (answer === 'tooLarge') return 'larger than the broker takes';
  if (answer.code === PubackCode.NoMatchingSubscribers) return 'routed as an ordinary topic';
  return `answered with 0x${answer.code.toString(16).padStart(2, '0')}`;
}
