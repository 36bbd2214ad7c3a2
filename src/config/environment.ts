/**
 * Environment variables, each with the setting it overrides. The one list: loading, `--help` and the documentation
 * test read it. `file` marks variables that name a file whose content is the value (secrets from files).
 */
export interface EnvironmentVariable {
  readonly name: `TIGHTBEAM_${string}`;
  readonly setting: readonly string[];
  readonly describe: string;
  readonly kind?: 'list' | 'file';
}

export const ENVIRONMENT: readonly EnvironmentVariable[] = [
  { name: 'TIGHTBEAM_MQTT_PORT', setting: ['embedded', 'port'], describe: 'port of the embedded broker (dev)' },
  { name: 'TIGHTBEAM_MQTT_HOST', setting: ['embedded', 'host'], describe: 'address of the embedded broker (dev)' },
  { name: 'TIGHTBEAM_HTTP_PORT', setting: ['http', 'port'], describe: 'port of the data-plane API' },
  { name: 'TIGHTBEAM_HTTP_HOST', setting: ['http', 'host'], describe: 'address of the data-plane API' },
  { name: 'TIGHTBEAM_EXHOOK_PORT', setting: ['exhook', 'port'], describe: 'port of the hook provider (gRPC)' },
  { name: 'TIGHTBEAM_EXHOOK_HOST', setting: ['exhook', 'host'], describe: 'address of the hook provider (gRPC)' },
  {
    name: 'TIGHTBEAM_EXHOOK_UNVERIFIED_CALLERS',
    setting: ['exhook', 'unverifiedCallers'],
    describe: '`trusted-network`: only EMQX reaches the hook provider, which is on no loopback address',
  },
  { name: 'TIGHTBEAM_POLICIES', setting: ['policies'], describe: 'folder of policies and principals.json' },
  { name: 'TIGHTBEAM_CREDENTIALS', setting: ['credentials'], describe: 'file of access keys and MQTT passwords' },
  { name: 'TIGHTBEAM_LOG_LEVEL', setting: ['log', 'level'], describe: 'debug, info, warn, error or disabled' },
  {
    name: 'TIGHTBEAM_BROKER_URLS',
    setting: ['broker', 'urls'],
    kind: 'list',
    describe: 'MQTT addresses of the broker nodes, separated by commas (serve)',
  },
  { name: 'TIGHTBEAM_BROKER_USERNAME', setting: ['broker', 'username'], describe: "the service's user on the broker" },
  { name: 'TIGHTBEAM_BROKER_PASSWORD', setting: ['broker', 'password'], describe: 'its password' },
  {
    name: 'TIGHTBEAM_BROKER_PASSWORD_FILE',
    setting: ['broker', 'password'],
    kind: 'file',
    describe: 'a file that holds its password',
  },
  { name: 'TIGHTBEAM_BROKER_CONNECTIONS', setting: ['broker', 'connections'], describe: 'connections opened at start' },
  { name: 'TIGHTBEAM_BROKER_API_URL', setting: ['broker', 'api', 'url'], describe: "address of EMQX's management API" },
  { name: 'TIGHTBEAM_BROKER_API_KEY', setting: ['broker', 'api', 'key'], describe: 'its API key' },
  { name: 'TIGHTBEAM_BROKER_API_SECRET', setting: ['broker', 'api', 'secret'], describe: 'its API secret' },
  {
    name: 'TIGHTBEAM_BROKER_API_SECRET_FILE',
    setting: ['broker', 'api', 'secret'],
    kind: 'file',
    describe: 'a file that holds its API secret',
  },
  { name: 'TIGHTBEAM_BROKER_CA', setting: ['broker', 'tls', 'ca'], describe: 'CA file for mqtts' },
  { name: 'TIGHTBEAM_BROKER_CERT', setting: ['broker', 'tls', 'cert'], describe: 'client certificate file for mqtts' },
  { name: 'TIGHTBEAM_BROKER_KEY', setting: ['broker', 'tls', 'key'], describe: 'client key file for mqtts' },
  {
    name: 'TIGHTBEAM_CONSOLE_PORT',
    setting: ['console', 'port'],
    describe: 'port of the console, which there is then',
  },
  { name: 'TIGHTBEAM_CONSOLE_HOST', setting: ['console', 'host'], describe: 'address of the console' },
  {
    name: 'TIGHTBEAM_CONSOLE_SESSION_SECRET_FILE',
    setting: ['console', 'sessionSecret'],
    kind: 'file',
    describe: 'a file that holds the secret of its sessions',
  },
  { name: 'TIGHTBEAM_METRICS_PORT', setting: ['telemetry', 'port'], describe: 'port of metrics and events' },
  { name: 'TIGHTBEAM_METRICS_HOST', setting: ['telemetry', 'host'], describe: 'address of metrics and events' },
  { name: 'TIGHTBEAM_TAIL_TOKEN', setting: ['telemetry', 'tailToken'], describe: 'opens events to other machines' },
  {
    name: 'TIGHTBEAM_TAIL_TOKEN_FILE',
    setting: ['telemetry', 'tailToken'],
    kind: 'file',
    describe: 'a file that holds that token',
  },
  { name: 'TIGHTBEAM_AWS_REGION', setting: ['aws', 'region'], describe: 'region in ARNs and signatures' },
  { name: 'TIGHTBEAM_AWS_ACCOUNT_ID', setting: ['aws', 'accountId'], describe: 'account in ARNs and log lines' },
];
