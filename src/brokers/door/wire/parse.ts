import { parser, type Packet } from 'mqtt-packet';
import { keepUserPropertyOrder } from '../../direct/user-properties.js';
import { Malformed } from './malformed.js';

/** A packet that the door itself answers, with everything that is in it. @throws Malformed */
export function parsePacket<Cmd extends Packet['cmd']>(
  cmd: Cmd,
  bytes: Buffer,
  protocolVersion: number,
): Extract<Packet, { cmd: Cmd }> {
  const reading = parser({ protocolVersion });
  keepUserPropertyOrder(reading);
  let found: Packet | undefined;
  let wrong: Error | undefined;
  reading.on('packet', (packet) => {
    found = packet;
  });
  reading.on('error', (error: Error) => {
    wrong = error;
  });
  // The parser keeps parts of what it is given, and a direct message outlives the chunk that it came in.
  reading.parse(Buffer.from(bytes));
  if (found?.cmd !== cmd) throw new Malformed(wrong?.message ?? `No ${cmd}.`);
  return found as Extract<Packet, { cmd: Cmd }>;
}
