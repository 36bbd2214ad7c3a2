import { randomBytes, randomInt } from 'node:crypto';
import { mosquittoConf, settingsYaml } from './broker.js';
import { backendPolicy, devicePolicy, policyTests, principals } from './policies.js';

/** What `tightbeam init` asks for. */
export interface Answers {
  readonly broker: 'embedded' | 'emqx' | 'mosquitto';
  /** Where the broker is: `mqtt://HOST:PORT`. Of the embedded one it says nothing. */
  readonly brokerUrl: string;
  readonly region: string;
  /** 12 digits. */
  readonly accountId: string;
  /** Client ID and username of the first device. */
  readonly device: string;
  /** Username of the first backend over MQTT; over HTTP it has an access key. */
  readonly backend: string;
}

/** Fresh secrets, of which nobody else has a copy. */
export interface Secrets {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly devicePassword: string;
  readonly backendPassword: string;
  /** Of the service's own user on the broker. */
  readonly servicePassword: string;
}

/** A file of a new project, by its path in the folder. */
export interface ProjectFile {
  readonly path: string;
  readonly text: string;
  /** Only its owner may read it. */
  readonly secret?: true;
}

export function freshSecrets(): Secrets {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const id = Array.from({ length: 16 }, () => letters[randomInt(letters.length)] ?? '').join('');
  const secret = (bytes: number): string => randomBytes(bytes).toString('base64url');
  return {
    accessKeyId: `AKIA${id}`,
    secretAccessKey: secret(30),
    devicePassword: secret(18),
    backendPassword: secret(18),
    servicePassword: secret(18),
  };
}

/** All files of the project but the JSON Schemas, which are copied from the package. */
export function filesOf(answers: Answers, secrets: Secrets): readonly ProjectFile[] {
  const { device, backend } = answers;
  const credentials = {
    $schema: './policies/schema/credentials.schema.json',
    accessKeys: { [secrets.accessKeyId]: secrets.secretAccessKey },
    mqttUsers: { [device]: secrets.devicePassword, [backend]: secrets.backendPassword },
  };
  const files: ProjectFile[] = [
    { path: 'tightbeam.yaml', text: settingsYaml(answers) },
    { path: 'credentials.json', text: json(credentials), secret: true },
    { path: 'broker-password', text: `${secrets.servicePassword}\n`, secret: true },
    { path: '.gitignore', text: 'credentials.json\nbroker-password\n' },
    { path: 'policies/principals.json', text: json(principals(answers, secrets.accessKeyId)) },
    { path: 'policies/device.json', text: json(devicePolicy(answers)) },
    { path: 'policies/backend.json', text: json(backendPolicy(answers)) },
    { path: 'policies/tests/first.json', text: json(policyTests(answers, secrets.accessKeyId)) },
  ];
  if (answers.broker === 'mosquitto') files.push({ path: 'mosquitto.conf', text: mosquittoConf(answers) });
  return files;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
