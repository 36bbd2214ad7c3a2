/** What programs import: `import { startService, DirectClient } from 'tightbeam'`. */
export { startService, type Ports, type Service, type ServiceOptions } from './app.js';
export type { RequestAnswer, SendAnswer } from './cli/client.js';
export { ConfigError, loadConfig } from './config/load.js';
export type { Config } from './config/schema.js';
export { DirectClient, type DirectClientMessage, type DirectClientOptions } from './direct-client.js';
