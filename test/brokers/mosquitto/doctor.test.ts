import { afterEach, describe, expect, test } from '@jest/globals';
import { chmodSync } from 'node:fs';
import { diagnoseDoor, type DoctorOptions } from '../../../src/brokers/door/doctor/doctor.js';
import { ConfigSchema } from '../../../src/config/schema.js';
import { startDoor, type Running } from './harness.js';
import { hasMosquitto, type MosquittoOptions } from './mosquitto.js';
import { freePort } from '../../free-port.js';

const SERVICE = { username: 'tightbeam', password: 'secret' };
/** Stands for an address of the machine at which others reach it. */
const OUTSIDE = '127.0.0.2';

let running: Running;

/** What doctor says of each check. */
async function examine(url: string, door: object = {}, options: DoctorOptions = {}): Promise<Map<string, string[]>> {
  const config = ConfigSchema.parse({
    broker: { kind: 'door', urls: [url], ...SERVICE },
    door: { host: '127.0.0.1', port: running.port, ...door },
  });
  const findings = new Map<string, string[]>();
  const asked = { ownAddresses: [OUTSIDE], usualPorts: [], timeoutMs: 5_000, ...options };
  for (const { check, status, message } of await diagnoseDoor(config, asked)) {
    findings.set(check, [...(findings.get(check) ?? []), `${status} ${message}`]);
  }
  return findings;
}

async function start(mosquitto: MosquittoOptions = {}): Promise<void> {
  running = await startDoor({ mosquitto });
}

(hasMosquitto ? describe : describe.skip)('tightbeam mosquitto doctor', () => {
  afterEach(() => running.stop());

  test('finds nothing wrong with a broker at a socket that nobody else opens, and a door that delivers', async () => {
    await start({ users: { [SERVICE.username]: SERVICE.password } });
    chmodSync(running.mosquitto.path, 0o770);
    const findings = await examine(`unix:${running.mosquitto.path}`);
    expect(Object.fromEntries(findings)).toEqual({
      broker: [expect.stringMatching(/^ok mosquitto version \d.* takes tightbeam at unix:/)],
      anonymous: [expect.stringMatching(/^ok the broker refuses/)],
      window: [expect.stringMatching(/^ok the broker takes 20 messages/)],
      nodelay: [expect.stringMatching(/^ok /)],
      persistence: [expect.stringMatching(/^warn not tried/)],
      around: [expect.stringMatching(/^ok only its owner and group/)],
      door: [expect.stringMatching(/^ok a direct message to itself at mqtt:\/\/127.0.0.1:\d+ was confirmed/)],
    });
  });

  test('finds a socket that every process can open, and other listeners', async () => {
    const port = await freePort();
    await start({ config: [`listener ${port} 127.0.0.1`] });
    chmodSync(running.mosquitto.path, 0o777);
    const findings = await examine(`unix:${running.mosquitto.path}`, {}, { usualPorts: [port, running.port] });
    expect(findings.get('around')).toEqual([
      expect.stringMatching(/^fail every process/),
      `warn something that is not the door listens at 127.0.0.1:${port}`,
    ]);
  });

  test('finds a port that is open at other addresses than the loopback one', async () => {
    const port = await freePort();
    await start({ config: [`listener ${port} 127.0.0.1`] });
    expect((await examine(`mqtt://127.0.0.1:${port}`)).get('around')).toEqual([expect.stringMatching(/^ok port/)]);
    await running.stop();
    await start({ config: [`listener ${port} 127.0.0.1`, `listener ${port} ${OUTSIDE}`] });
    expect((await examine(`mqtt://127.0.0.1:${port}`)).get('around')).toEqual([
      `fail the broker is reached around the door at ${OUTSIDE}:${port}`,
    ]);
  });

  test('tells small windows, anonymous access, and a broker that gathers what it sends', async () => {
    const port = await freePort();
    await start({ config: [`listener ${port} 127.0.0.1`, 'max_inflight_messages 5'] });
    const slow = await examine(`mqtt://127.0.0.1:${port}`, { authenticatedBy: 'broker' });
    expect(slow.get('anonymous')).toEqual([expect.stringMatching(/^fail the broker takes anybody/)]);
    expect(slow.get('window')).toEqual([expect.stringMatching(/^warn the broker takes 5 messages/)]);
    await running.stop();
    await start({ config: [`listener ${port} 127.0.0.1`, 'set_tcp_nodelay true'] });
    const swift = await examine(`mqtt://127.0.0.1:${port}`);
    expect(swift.get('anonymous')).toEqual([expect.stringMatching(/^warn the broker takes anybody/)]);
    expect(swift.get('nodelay')).toEqual([expect.stringMatching(/took \d/)]);
  });

  test('says what is not tried of a broker on another machine, and what it cannot reach', async () => {
    await start();
    const findings = await examine('mqtt://broker.invalid:1883', { port: 1 });
    expect(findings.get('broker')).toEqual([expect.stringMatching(/^fail the broker at mqtt:\/\/broker.invalid/)]);
    expect(findings.get('around')).toEqual([expect.stringMatching(/^warn not tried/)]);
    expect(findings.get('door')).toEqual([expect.stringMatching(/^fail nobody could connect to the door/)]);
  });
});
