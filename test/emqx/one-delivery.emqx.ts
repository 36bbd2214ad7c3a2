import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import { startService, type Service } from '../../src/app.js';
import { RETRYING, skipped } from '../aws/retrying.js';
import { startRoundRobin } from '../aws/round-robin.js';
import { CREDENTIALS } from '../http/support.js';
import { captureLog } from '../telemetry/capture.js';
import { until } from './support/bench.js';
import { ServiceProcess } from './support/process.js';
import { onEmqx } from './support/suite.js';
import { freePort } from '../free-port.js';

/** The broker remembers the delivery, so it outlives any replica: here EMQX, a process of its own. */
onEmqx('One call, one delivery, whichever replica the attempts come to', (bench) => {
  let other: Service;
  beforeAll(async () => {
    const { config } = bench();
    const ports = { http: { ...config.http, port: 0 }, exhook: { ...config.exhook, port: 0 } };
    other = await startService({ ...config, ...ports }, { broker: 'emqx', logDestination: captureLog() });
    await until(() => other.broker.ready);
  }, 120_000);
  afterAll(() => other.stop());

  /** A device that acknowledges when it is told to, and not before. */
  async function lateDevice(
    clientId: string,
  ): Promise<{ readonly client: MqttClient; received: number; acknowledge(): void }> {
    const client = await bench().connect(clientId);
    let acknowledge: () => void = () => undefined;
    const device = {
      client,
      received: 0,
      acknowledge: () => {
        acknowledge();
      },
    };
    client.handleMessage = (_packet, done) => {
      device.received += 1;
      acknowledge = done;
    };
    return device;
  }

  test.each(RETRYING)('%s, behind round robin: one message, one 200, one trace', async (name, call) => {
    const clientId = `retry-${name.replaceAll(/\W+/g, '-')}`;
    const device = await lateDevice(clientId);
    const balancer = await startRoundRobin([bench().service.ports.http, other.ports.http]);
    try {
      const called = call(balancer.endpoint, CREDENTIALS, clientId);
      const again = balancer.arrived(2).then(() => {
        device.acknowledge();
      });
      const answered = await called;
      if (skipped(name, answered)) return;
      await again;
      expect(answered).toEqual({ status: 200, traceId: balancer.requests[0]?.traceId });
      expect(device.received).toBe(1);
      expect(balancer.requests.map(({ status }) => status)).toEqual([504, 200]);
    } finally {
      await balancer.stop();
      await device.client.endAsync(true);
    }
  });

  test.each(RETRYING)(
    '%s, and the replica is killed between the attempts: one message, one 200',
    async (name, call) => {
      const clientId = `killed-${name.replaceAll(/\W+/g, '-')}`;
      const device = await lateDevice(clientId);
      const { config } = bench();
      const http = { ...config.http, port: await freePort() };
      const victim = new ServiceProcess({ ...config, http, exhook: { ...config.exhook, port: await freePort() } });
      await victim.start();
      const balancer = await startRoundRobin([http.port, bench().service.ports.http]);
      try {
        const called = call(balancer.endpoint, CREDENTIALS, clientId);
        const killed = until(() => device.received === 1)
          .then(() => victim.kill('SIGKILL'))
          .then(() => balancer.arrived(2))
          .then(() => {
            device.acknowledge();
          });
        const answered = await called;
        if (skipped(name, answered)) return;
        await killed;
        expect(answered.status).toBe(200);
        expect(device.received).toBe(1);
        expect(balancer.requests.map(({ status }) => status)).toEqual([502, 200]);
      } finally {
        await victim.kill('SIGKILL');
        await balancer.stop();
        await device.client.endAsync(true);
      }
    },
  );
});
