import type { IPublishPacket } from 'mqtt-packet';
import { CONTROL_WITHDRAW, readControls } from '../../direct/controls.js';
import { CONNECTED_TOPIC } from '../../direct/topic.js';
import { checkClientId, checkPayload, checkTopic, unfitText, type Fault, type Limits } from '../../direct/limits.js';
import { parseDirectTopic } from '../../direct/topic.js';
import type { Party, PendingMessage } from './message.js';
import { pairsOf } from './user-properties.js';

/** What a PUBLISH asks for, or why it is refused whoever sent it. */
export interface Admission extends Pick<PendingMessage, 'address' | 'timeoutMs' | 'request' | 'waitMs' | 'isWatch'> {
  readonly confirmation: boolean;
  /** Identity of the delivery. */
  readonly id?: string;
  readonly fault?: Fault;
}

const NOTHING = { request: undefined, waitMs: 0, isWatch: false } as const;

/** Everything that can be said of the PUBLISH alone, before anything that tells whether a client exists. */
export function admit(sender: Party, packet: IPublishPacket, limits: Limits): Admission {
  const parsed = parseDirectTopic(packet.topic);
  const { isService } = sender;
  const isWatch = isService && parsed.ok && parsed.address.topic === CONNECTED_TOPIC;
  const controls = readControls(pairsOf(packet.properties?.userProperties), limits, { qos: packet.qos, isService });
  const address = parsed.ok ? parsed.address : { targetClientId: '', topic: packet.topic };
  const fault =
    refusal(sender, packet) ??
    (parsed.ok ? undefined : parsed) ??
    checkClientId(address.targetClientId, limits) ??
    (isWatch ? undefined : checkTopic(address.topic, limits)) ??
    checkPayload(packet.payload.length, limits) ??
    (controls.ok ? undefined : controls);
  if (fault !== undefined || !controls.ok) {
    const confirmation = controls.ok ? controls.controls.confirmation : packet.qos > 0;
    return { address, confirmation, timeoutMs: limits.defaultTimeoutMs, ...NOTHING, ...(fault && { fault }) };
  }
  const { isRequest, ...asked } = controls.controls;
  const request = isRequest ? readRequest(packet, limits) : undefined;
  if (request !== undefined && 'reason' in request) return { address, ...asked, ...NOTHING, fault: request };
  return { address, ...asked, request, isWatch };
}

/** The Packet Identifier of the question that the service asks no more; 0, which is none, where it names none. */
export function withdrawnBy({ properties }: IPublishPacket): number {
  for (const [name, value] of pairsOf(properties?.userProperties)) if (name === CONTROL_WITHDRAW) return Number(value);
  return 0;
}

/** Where the answer to a request is to come, or what is wrong with that. */
function readRequest({ properties }: IPublishPacket, limits: Limits): NonNullable<PendingMessage['request']> | Fault {
  const { responseTopic = '', correlationData: correlation } = properties ?? {};
  if (correlation === undefined) return { reason: 'INVALID_PARAMETER', details: 'A request has no Correlation Data.' };
  return checkTopic(responseTopic, limits) ?? { responseTopic, correlation };
}

/** The rows of the contract that are refused, whoever sends them. */
function refusal(sender: Party, packet: IPublishPacket): Fault | undefined {
  const fault = (details: string): Fault => ({ reason: 'INVALID_PARAMETER', details });
  if (packet.retain) return fault('A direct message cannot be retained.');
  if (packet.qos === 2) return fault('A direct message cannot be sent at QoS 2.');
  if (packet.qos === 1 && !sender.isMqtt5) return fault('MQTT 3.1.1 has no PUBACK that could say no.');
  const { contentType = '', responseTopic = '' } = packet.properties ?? {};
  // The Response Topic is a topic name (section 3.3.2.3.5).
  if (/[+#]/.test(responseTopic)) return fault('The Response Topic holds a wildcard.');
  const unfit = unfitText('The Content Type', contentType) ?? unfitText('The Response Topic', responseTopic);
  return unfit === undefined ? unfitProperty(packet) : fault(unfit);
}

function unfitProperty(packet: IPublishPacket): Fault | undefined {
  for (const [name, value] of pairsOf(packet.properties?.userProperties)) {
    const details = unfitText('The name of a user property', name) ?? unfitText('The value of a user property', value);
    if (details !== undefined) return { reason: 'INVALID_PARAMETER', details };
  }
  return undefined;
}
