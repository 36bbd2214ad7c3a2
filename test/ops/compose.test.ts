import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { activeRules, hasServiceRule, otherRules } from '../../src/brokers/emqx/install/acl.js';
import { NAME } from '../../src/brokers/emqx/install/state.js';
import { ENVIRONMENT } from '../../src/config/environment.js';
import { loadConfig } from '../../src/config/load.js';
import { Credentials } from '../../src/identity/credentials.js';
import { VERSION } from '../../src/version.js';

interface Service {
  readonly build?:
    string | { readonly context: string; readonly dockerfile: string; readonly args: Record<string, string> };
  readonly image?: string;
  readonly environment?: Record<string, string>;
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly profiles?: readonly string[];
  readonly depends_on?: Record<string, { readonly condition: string }>;
  readonly read_only?: boolean;
  readonly command?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly stop_grace_period?: string;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly user?: string;
}
const ROOT = join(import.meta.dirname, '../..');
const file = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const compose = parse(file('docker-compose.yml'), { merge: true }) as {
  readonly services: Record<string, Service>;
  readonly secrets: Record<string, { readonly file: string }>;
};
const services = Object.entries(compose.services);
const fragment = file('emqx/tightbeam.hocon');

/** The secrets as the documented command makes them, in a copy of the folder it runs in. */
function makeSecrets<T>(look: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'tightbeam-secrets-'));
  try {
    cpSync(join(ROOT, 'emqx'), join(folder, 'emqx'), { recursive: true });
    execFileSync('sh', [join(folder, 'emqx', 'make-secrets.sh')]);
    return look(join(folder, 'secrets'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('docker-compose.yml', () => {
  it('names only files and folders that exist', () => {
    const sources = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0] ?? ''));
    // What make-secrets.sh makes is looked at below.
    for (const path of sources.filter((source) => source.startsWith('.') && !source.startsWith('./secrets/')))
      expect(existsSync(join(ROOT, path))).toBe(true);
    for (const [, { build }] of services) {
      if (typeof build === 'object') expect(existsSync(join(ROOT, build.context, build.dockerfile))).toBe(true);
    }
  });

  it('declares every secret that a service uses, and uses every one that it declares', () => {
    const used = new Set(services.flatMap(([, { secrets = [] }]) => secrets));
    expect([...used].sort()).toEqual(Object.keys(compose.secrets).sort());
  });

  it('gives the service settings that exist, and that are valid', () => {
    const { environment = {} } = compose.services['tightbeam'] ?? {};
    const known = new Set<string>(ENVIRONMENT.map(({ name }) => name));
    const settings = Object.fromEntries(Object.entries(environment).filter(([name]) => known.has(name)));
    const others = Object.keys(environment).filter((name) => !known.has(name));
    expect(others.every((name) => name.startsWith('TIGHTBEAM_EMQX_'))).toBe(true);
    makeSecrets((folder) => {
      const config = loadConfig(undefined, {
        ...settings,
        TIGHTBEAM_BROKER_PASSWORD_FILE: join(folder, 'broker_password'),
        TIGHTBEAM_BROKER_API_SECRET_FILE: join(folder, 'emqx_api_secret'),
        TIGHTBEAM_CREDENTIALS: join(folder, 'credentials', 'credentials.json'),
      });
      expect(config.broker).toMatchObject({ urls: ['mqtt://emqx:1883'], username: 'tightbeam' });
      const [key, secret] = readFileSync(join(folder, 'emqx_api_keys'), 'utf8').split(':');
      expect(config.broker.api).toEqual({ url: 'http://emqx:18083', key, secret });
      expect(config.broker.password).toMatch(/^[0-9a-f]{48}$/);
      expect([config.exhook.host, config.http.host]).toEqual(['0.0.0.0', '0.0.0.0']);
    });
  });

  it('mounts what it reads', () => {
    const { environment = {}, secrets = [], volumes = [] } = compose.services['tightbeam'] ?? {};
    for (const path of Object.values(environment).filter((value) => value.startsWith('/run/secrets/'))) {
      expect(secrets).toContain(path.slice('/run/secrets/'.length));
    }
    expect(volumes).toContain(`./policies:${environment['TIGHTBEAM_POLICIES'] ?? ''}:ro`);
    // Their folder: a file that is replaced by another of its name is not seen through a mount of its own.
    const credentials = environment['TIGHTBEAM_CREDENTIALS'] ?? '';
    expect(volumes).toContain(`./secrets/credentials:${dirname(credentials)}:ro`);
  });

  it('starts the provider before EMQX, and EMQX before the devices', () => {
    expect(compose.services['emqx']?.depends_on).toEqual({ tightbeam: { condition: 'service_healthy' } });
    for (const device of ['lock-17', 'lock-18']) {
      expect(compose.services[device]).toMatchObject({
        profiles: ['devices'],
        depends_on: { emqx: { condition: 'service_healthy' } },
      });
    }
  });

  it('asks for health without starting anything heavy, and gives time to stop', () => {
    expect(compose.services['emqx']?.healthcheck?.test).toEqual(
      expect.arrayContaining(['CMD', 'curl', 'http://127.0.0.1:18083/status']),
    );
    expect(file('Dockerfile')).toMatch(/HEALTHCHECK [^\n]*\n *CMD \["node", "-e", "require\('node:http'\)\.get/);
    for (const name of ['tightbeam', 'emqx']) {
      expect(compose.services[name]?.stop_grace_period).toMatch(/^[3-9]\ds$/);
    }
  });

  it('runs everything without capabilities, devices as nobody special, their passwords in no command line', () => {
    for (const [, service] of services) {
      expect(service).toMatchObject({ cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    }
    for (const device of ['lock-17', 'lock-18']) {
      expect(compose.services[device]?.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
      const [, started = ''] = compose.services[device]?.command?.join(' ').split('exec ') ?? [];
      expect(started).toMatch(/^mosquitto_sub .*-u lock-1\d /);
      expect(started).not.toMatch(/-P|secrets/);
    }
  });

  it('runs the service on a read-only file system, and pins every image', () => {
    expect(compose.services['tightbeam']?.read_only).toBe(true);
    for (const [, { image }] of services) if (image !== undefined) expect(image).toMatch(/:\d+\.\d+\.\d+$/);
    expect(file('emqx/Dockerfile')).toContain('ARG EMQX_VERSION=5.8.9');
    expect(file('Dockerfile')).toMatch(/^USER node$/m);
  });

  it('holds no secret', () => {
    expect(file('docker-compose.yml')).not.toMatch(/password: |secret: |[0-9a-f]{32}/i);
    expect(file('.gitignore').split('\n')).toContain('secrets/');
  });
});

describe('docker-compose.telemetry.yml', () => {
  const telemetry = parse(file('docker-compose.telemetry.yml')) as typeof compose;
  const yaml = (path: string) => JSON.stringify(parse(file(path)));

  it('mounts files and folders that exist, on images that are pinned', () => {
    for (const { volumes = [], image } of Object.values(telemetry.services)) {
      for (const path of volumes.map((volume) => volume.split(':')[0] ?? '').filter((path) => path.startsWith('.'))) {
        expect(existsSync(join(ROOT, path))).toBe(true);
      }
      if (image !== undefined) expect(image).toMatch(/:v?\d+\.\d+\.\d+$/);
    }
  });

  it('has every part listen where the next one sends to', () => {
    const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint = '' } = telemetry.services['tightbeam']?.environment ?? {};
    const collector = yaml('dashboards/otel-collector/config.yaml');
    const prometheus = yaml('dashboards/prometheus/prometheus.yml');
    const sources = yaml('dashboards/grafana/provisioning/datasources/tightbeam.yml');
    expect(new URL(endpoint)).toMatchObject({ hostname: 'otel-collector', port: '4318' });
    expect(collector).toContain('0.0.0.0:4318');
    expect(collector).toContain('"tempo:4317"');
    const tempo = yaml('dashboards/tempo/tempo.yaml');
    expect(tempo).toContain('"0.0.0.0:4317"');
    expect(tempo).toContain('"http_listen_port":3200');
    expect(collector).toContain('http://loki:3100/otlp');
    expect(yaml('dashboards/loki/loki.yaml')).toContain('"http_listen_port":3100');
    expect(sources).toContain('http://tempo:3200');
    expect(sources).toContain('http://loki:3100');
    expect(prometheus).toContain(`tightbeam:${loadConfig(undefined, {}).telemetry.port}`);
  });
});

describe('The context of the images', () => {
  it('is what they are made of and nothing else: no secrets, and no document whose change would make another image', () => {
    const rules = file('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(rules[0]).toBe('*');
    const taken = rules.filter((rule) => rule.startsWith('!')).map((rule) => rule.slice(1));
    const copied = [file('Dockerfile'), file('emqx/Dockerfile')].flatMap((text) =>
      [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' ')),
    );
    expect(taken.sort()).toEqual([...new Set(copied.map((path) => path.split('/')[0] ?? ''))].sort());
    expect(rules).toContain('**/.env*');
  });

  it('needs no BuildKit', () => {
    expect(file('Dockerfile') + file('emqx/Dockerfile')).not.toMatch(/--chmod|--mount|# *syntax/);
  });
});

describe('emqx/make-secrets.sh', () => {
  it('makes every secret that is mounted, readable by the containers, the folder closed', () => {
    makeSecrets((folder) => {
      const mounted = Object.values(compose.secrets).map(({ file: path }) => path.replace('./secrets/', ''));
      const names = [...mounted, 'credentials'];
      expect(readdirSync(folder)).toEqual(expect.arrayContaining(names));
      expect(statSync(folder).mode & 0o777).toBe(0o700);
      for (const name of [...names, 'credentials/credentials.json']) {
        expect(statSync(join(folder, name)).mode & 0o444).toBe(0o444);
      }
      expect(statSync(join(folder, 'credentials')).mode & 0o111).toBe(0o111);
    });
  });

  it('makes credentials for principals that the example policies know', () => {
    makeSecrets((folder) => {
      const credentials = Credentials.fromFile(join(folder, 'credentials', 'credentials.json'));
      const { principals } = JSON.parse(file('policies/principals.json')) as { principals: Record<string, unknown> };
      expect(JSON.stringify(principals)).toContain('AKIAIOSFODNN7EXAMPLE');
      expect(credentials.secretsOf('AKIAIOSFODNN7EXAMPLE')).toHaveLength(1);
      const password = readFileSync(join(folder, 'lock_17_password'));
      expect(credentials.isPassword('lock-17', password)).toBe(true);
    });
  });

  it('keeps what is there', () => {
    makeSecrets((folder) => {
      const before = readFileSync(join(folder, 'broker_password'), 'utf8');
      execFileSync('sh', [join(folder, '..', 'emqx', 'make-secrets.sh')]);
      expect(readFileSync(join(folder, 'broker_password'), 'utf8')).toBe(before);
    });
  });
});

describe("EMQX's configuration fragments", () => {
  it('decide only about the service, in the ACL', () => {
    const acl = file('emqx/acl.conf');
    expect(hasServiceRule(acl, 'tightbeam')).toBe(true);
    expect(otherRules(acl, 'tightbeam')).toEqual([]);
    expect(activeRules(acl)).toHaveLength(1);
  });

  it('agree with what install would set', () => {
    expect(fragment).toContain(`name = ${NAME}`);
    expect(fragment).toContain('failed_action = deny');
    expect(fragment).toContain('auto_reconnect = 5s');
    expect(fragment).toContain('no_match = deny');
  });

  it('start the plugin of this release', () => {
    expect(fragment).toContain(`name_vsn = "tightbeam-${VERSION}"`);
    expect(file('emqx-plugin/src/tightbeam.app.src')).toContain(`{vsn, "${VERSION}"}`);
  });

  it('open the dashboard and the API where compose publishes them, under a name of the node that stays', () => {
    // EMQX's start script overrides node.name with the container's address, unless the environment names the node.
    expect(file('emqx/emqx.conf')).toMatch(/^dashboard\.listeners\.http\.bind = 18083$/m);
    expect(file('emqx/emqx.conf')).not.toMatch(/^\s*name = "emqx@/m);
    expect(file('emqx/Dockerfile')).toMatch(/^ENV EMQX_NODE_NAME=\S+@\S+$/m);
    expect(JSON.stringify(compose.services['emqx'])).toContain('127.0.0.1:18083:18083');
  });

  it('are all in the image, where the configuration includes them', () => {
    const included = [...file('emqx/emqx.conf').matchAll(/^include "(.+)"$/gm)].map(([, path]) => path ?? '');
    const paths = [...included, ...[...fragment.matchAll(/path = "(.+?)"/g)].map(([, path]) => path ?? '')];
    expect(paths).toHaveLength(3);
    for (const path of paths) {
      expect(path.startsWith('/opt/emqx/etc/tightbeam/')).toBe(true);
      const name = path.slice('/opt/emqx/etc/tightbeam/'.length);
      expect(existsSync(join(ROOT, 'emqx', name))).toBe(true);
      expect(file('emqx/Dockerfile')).toContain(`emqx/${name}`);
    }
  });
});
