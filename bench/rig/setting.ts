import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';

export const ACCESS_KEY = { accessKeyId: 'AKIABENCHMARKEXAMPLE', secretAccessKey: randomBytes(20).toString('hex') };
export const BACKEND = 'backend';
/** On which devices acknowledge the usual way; what follows is the client ID of who sent the command. */
export const ACKNOWLEDGEMENTS = 'acknowledgements';

/** Policies, credentials and log of a service under test, in a folder of their own. */
export interface Setting {
  readonly folder: string;
  readonly devices: readonly string[];
  /** Password of every MQTT user but the service's. */
  readonly password: string;
  readonly serviceUser: { readonly username: string; readonly password: string };
}

/** Writes the setting for so many devices: a backend that may reach all of them, in the direct way and in the usual. */
export function writeSetting(devices: number): Setting {
  const setting: Setting = {
    folder: mkdtempSync(join(tmpdir(), 'tightbeam-bench-')),
    devices: Array.from({ length: devices }, (_, index) => `device-${index}`),
    password: randomBytes(8).toString('hex'),
    serviceUser: { username: 'tightbeam', password: randomBytes(8).toString('hex') },
  };
  const policies = join(setting.folder, 'policies');
  mkdirSync(policies);
  write(join(policies, 'backend.json'), {
    Version: '2012-10-17',
    Statement: [
      allow(['iot:Connect', 'iot:SendDirectMessage'], 'client/*'),
      allow(['iot:Publish'], 'topic/devices/*'),
      allow(['iot:Subscribe'], `topicfilter/${ACKNOWLEDGEMENTS}/*`),
      allow(['iot:Receive'], `topic/${ACKNOWLEDGEMENTS}/*`),
    ],
  });
  write(join(policies, 'device.json'), {
    Version: '2012-10-17',
    Statement: [
      allow(['iot:Connect'], 'client/${iot:ClientId}'),
      allow(['iot:Receive'], 'topic/cmd/*'),
      allow(['iot:Publish'], `topic/${ACKNOWLEDGEMENTS}/*`),
      allow(['iot:Subscribe'], 'topicfilter/devices/${iot:ClientId}/*'),
      allow(['iot:Receive'], 'topic/devices/${iot:ClientId}/*'),
    ],
  });
  write(join(policies, 'principals.json'), {
    principals: {
      backend: { match: [{ username: BACKEND }, { accessKeyId: ACCESS_KEY.accessKeyId }], policies: ['backend'] },
      device: { match: { username: 'device-*' }, policies: ['device'] },
    },
  });
  write(credentialsFile(setting), {
    accessKeys: { [ACCESS_KEY.accessKeyId]: ACCESS_KEY.secretAccessKey },
    mqttUsers: Object.fromEntries([BACKEND, ...setting.devices].map((user) => [user, setting.password])),
  });
  return setting;
}

export function removeSetting({ folder }: Setting): void {
  rmSync(folder, { recursive: true, force: true });
}

/** As `tightbeam dev` has it, on free ports. */
export function configOf(setting: Setting): Config {
  const anyPort = { port: 0 };
  return loadConfig(
    undefined,
    {},
    {
      policies: join(setting.folder, 'policies'),
      credentials: credentialsFile(setting),
      broker: { ...setting.serviceUser, connections: 2 },
      http: anyPort,
      exhook: anyPort,
      embedded: anyPort,
      telemetry: anyPort,
    },
  );
}

function credentialsFile({ folder }: Setting): string {
  return join(folder, 'credentials.json');
}

function allow(actions: readonly string[], resource: string): object {
  return { Effect: 'Allow', Action: actions, Resource: `arn:aws:iot:us-east-1:000000000000:${resource}` };
}

function write(file: string, value: object): void {
  writeFileSync(file, JSON.stringify(value));
}
