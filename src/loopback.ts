import { isAmong, networks } from './networks.js';

const loopback = networks(['127.0.0.0/8', '::1']);

/** Whether an IP address is one that only this machine reaches. */
export function isLoopback(address: string): boolean {
  return isAmong(loopback, address);
}
