import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.js';
import { hasMosquitto, startMosquitto } from '../brokers/mosquitto/mosquitto.js';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'mosquitto');
const { services, networks } = parse(readFileSync(join(ROOT, 'docker-compose.mosquitto.yml'), 'utf8')) as {
  readonly services: Record<string, { ports?: string[]; networks: string[]; volumes?: string[]; user?: string }>;
  readonly networks: Record<string, { readonly internal?: boolean } | null>;
};

describe('docker-compose.mosquitto.yml', () => {
  it('names only files and folders that exist, or that the documented command makes', () => {
    const sources = Object.values(services).flatMap(({ volumes = [] }) =>
      volumes.map((one) => one.split(':')[0] ?? ''),
    );
    for (const source of sources.filter((one) => one.startsWith('.') && !one.startsWith('./secrets/')))
      expect(existsSync(join(ROOT, source))).toBe(true);
  });

  it('lets nobody but the door reach the broker', () => {
    const { mosquitto } = services;
    expect(mosquitto?.ports).toBeUndefined();
    expect(mosquitto?.networks).toEqual(['behind']);
    expect(networks['behind']).toEqual({ internal: true });
    const there = Object.entries(services).filter(([, one]) => one.networks.includes('behind'));
    expect(there.map(([name]) => name)).toEqual(['tightbeam', 'mosquitto']);
  });

  it('has a configuration of the service that loads', () => {
    const config = loadConfig(join(FOLDER, 'tightbeam.yaml'), {});
    expect(config.broker).toMatchObject({ kind: 'door', urls: ['mqtt://mosquitto:1883'] });
    expect(config.door).toMatchObject({ host: '0.0.0.0', port: 1883 });
  });

  (hasMosquitto ? it : it.skip)('has a configuration that Mosquitto takes', async () => {
    const lines = readFileSync(join(FOLDER, 'mosquitto.conf'), 'utf8').split('\n');
    // In a folder of the test, and with the test's own listener.
    const config = lines.filter(
      (line) => !/^(listener|allow_anonymous|persistence|persistence_location|log_dest) /.test(line),
    );
    const mosquitto = await startMosquitto({ config });
    await mosquitto.dispose();
  });
});
