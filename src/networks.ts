import { BlockList, isIP } from 'node:net';

/** Whether a text is an IP address, or a network in CIDR notation. */
export function isNetwork(text: string): boolean {
  return partsOf(text) !== undefined;
}

/** @throws where one of the texts is no network. */
export function networks(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const parts = partsOf(text);
    if (parts === undefined) throw new Error(`${text} is no network.`);
    list.addSubnet(...parts);
  }
  return list;
}

export function isAmong(list: BlockList, address: string): boolean {
  const family = familyOf(address);
  return family !== undefined && list.check(address, family);
}

function partsOf(text: string): [address: string, bits: number, family: 'ipv4' | 'ipv6'] | undefined {
  const [, address = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = familyOf(address);
  if (family === undefined) return undefined;
  const most = family === 'ipv6' ? 128 : 32;
  const bits = length === undefined ? most : Number(length);
  return bits <= most ? [address, bits, family] : undefined;
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : version === 6 ? 'ipv6' : 'ipv4';
}
