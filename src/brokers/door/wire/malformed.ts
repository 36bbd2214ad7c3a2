/**
 * A packet that breaks the protocol, with the reason code that ends the connection (MQTT 5, section 4.13): 0x81
 * (Malformed Packet) where it cannot be read, 0x82 (Protocol Error) where it must not stand here, or a more exact one.
 */
export class Malformed extends Error {
  override readonly name = 'Malformed';
  constructor(
    rule: string,
    readonly reasonCode = 0x81,
  ) {
    super(rule);
  }
}

/** A packet that can be read and must not stand here. */
export function protocolError(rule: string): Malformed {
  return new Malformed(rule, 0x82);
}
