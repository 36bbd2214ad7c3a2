import type { Answers } from './project.js';

/** The door of Mosquitto takes the usual port; Mosquitto itself goes where nobody but the door reaches it. */
const BEHIND_THE_DOOR = 'mqtt://127.0.0.1:1884';

/** Where the broker is when nobody says. */
export function defaultUrl(broker: Answers['broker']): string {
  return broker === 'mosquitto' ? BEHIND_THE_DOOR : 'mqtt://127.0.0.1:1883';
}

export function settingsYaml({ broker, brokerUrl, region, accountId }: Answers): string {
  const kind = broker === 'mosquitto' ? 'door' : 'emqx';
  const lines = [
    '# yaml-language-server: $schema=policies/schema/config.schema.json',
    '# `tightbeam config show` prints every setting that is in force. Paths are relative to where the service starts.',
    'aws:',
    `  region: ${region}`,
    `  accountId: '${accountId}'`,
    'policies: policies',
    'credentials: credentials.json',
  ];
  if (broker !== 'embedded') {
    lines.push('broker:', `  kind: ${kind}`, `  urls: ['${brokerUrl}'] # its password: TIGHTBEAM_BROKER_PASSWORD_FILE`);
  }
  if (broker === 'mosquitto') lines.push('door: # what devices connect to', '  host: 127.0.0.1', '  port: 1883');
  return `${lines.join('\n')}\n`;
}

/** A Mosquitto that the door alone reaches; who a client is has been found out before it. */
export function mosquittoConf({ brokerUrl }: Answers): string {
  const { hostname, port } = new URL(brokerUrl);
  return [
    `listener ${port === '' ? '1883' : port} ${hostname}`,
    '# Safe on a loopback address, behind the door, which has asked every client for its password.',
    'allow_anonymous true',
    '# Without it every packet waits for the acknowledgement of the one before.',
    'set_tcp_nodelay true',
    '',
  ].join('\n');
}

/** What to type after `tightbeam init`, one step a paragraph, with secrets read from the files that hold them. */
export function nextSteps({ broker, device }: Answers, folder: string): string {
  const secretOf = (section: string, name: string): string =>
    `node -p "Object.${name}(require('./credentials.json').${section})[0]"`;
  const start = {
    embedded: ['tightbeam dev --config tightbeam.yaml'],
    mosquitto: [
      'mosquitto -c mosquitto.conf -d',
      'TIGHTBEAM_BROKER_PASSWORD_FILE=broker-password tightbeam serve --config tightbeam.yaml',
    ],
    emqx: [
      'TIGHTBEAM_BROKER_PASSWORD_FILE=broker-password tightbeam serve --config tightbeam.yaml',
      '# and, while it runs, with an API key of EMQX:',
      'TIGHTBEAM_EMQX_API_KEY=... TIGHTBEAM_EMQX_API_SECRET=... tightbeam emqx install --config tightbeam.yaml \\',
      '  --api http://127.0.0.1:18083 --exhook-url grpc://HOST:9000 --plugin tightbeam-VERSION.tar.gz',
    ],
  }[broker];
  return [
    'Next:',
    '',
    `  cd ${folder}`,
    '  tightbeam policy test policies/tests/first.json --config tightbeam.yaml',
    ...start.map((line) => `  ${line}`),
    '',
    'A device, in another terminal (its password is in credentials.json):',
    '',
    `  mosquitto_sub -V 5 -i ${device} -u ${device} -P "$(${secretOf('mqttUsers', 'values')})" -t state/${device}/ignored -v`,
    '',
    'A message for it, in a third:',
    '',
    `  export AWS_ACCESS_KEY_ID="$(${secretOf('accessKeys', 'keys')})"`,
    `  export AWS_SECRET_ACCESS_KEY="$(${secretOf('accessKeys', 'values')})"`,
    `  tightbeam send --client-id ${device} --topic cmd/open --payload now`,
    '',
  ].join('\n');
}
