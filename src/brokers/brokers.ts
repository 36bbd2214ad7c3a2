import type { OpenBroker } from './broker.js';

/** The brokers, by name. Each is loaded when it is opened: a service beside one needs nothing of the others. */
export const BROKERS = {
  emqx: async (setting) => (await import('./emqx/open.js')).openEmqx(setting),
  door: async (setting) => (await import('./door/open.js')).openDoor(setting),
  embedded: async (setting) => (await import('./embedded/open.js')).openEmbedded(setting),
} as const satisfies Record<string, OpenBroker>;

export type BrokerName = keyof typeof BROKERS;
