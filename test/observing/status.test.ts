import { describe, expect, it } from '@jest/globals';
import { describeStatus } from '../../src/cli/status.js';
import { ServiceStatus } from '../../src/observing/status.js';
import { delivered } from '../telemetry/samples.js';

const START = Date.UTC(2026, 10, 21, 3);

function open() {
  let now = START;
  const status = new ServiceStatus(() => now);
  return { status, later: (milliseconds: number) => void (now += milliseconds) };
}
const CONNECTION = { broker: 'mqtt://b', clientId: 'c1' };

describe('how the service is', () => {
  it('has each connection with its state, since when, and its last error', () => {
    const { status, later } = open();
    status.tell('BrokerConnection', { ...CONNECTION, state: 'refused', details: 'bad password' });
    later(1000);
    status.tell('BrokerConnection', { ...CONNECTION, state: 'refused', details: 'bad password' });
    later(1000);
    status.tell('BrokerConnection', { ...CONNECTION, state: 'ready' });
    expect(status.report().connections).toEqual([
      {
        ...CONNECTION,
        state: 'ready',
        since: '2026-11-21T03:00:02.000Z',
        lastError: { at: '2026-11-21T03:00:01.000Z', state: 'refused', details: 'bad password' },
      },
    ]);
  });

  it('keeps the policies in force when a reload is refused, and says that it was', () => {
    const { status, later } = open();
    status.tell('PolicyReload', { outcome: 'loaded', version: 'v1', policies: 2, principals: 3 });
    later(1000);
    status.tell('PolicyReload', { outcome: 'refused', version: 'v1', details: 'a.json: not JSON' });
    expect(status.report().policies).toEqual({
      version: 'v1',
      policies: 2,
      principals: 3,
      since: '2026-11-21T03:00:00.000Z',
      lastReload: { at: '2026-11-21T03:00:01.000Z', outcome: 'refused', details: 'a.json: not JSON' },
    });
  });

  it('counts outcomes by reason, the most frequent first, and forgets them after five minutes', () => {
    const { status, later } = open();
    status.tell('SendDirectMessage', delivered({ reason: 'PUBACK_TIMEOUT' }));
    later(200_000);
    for (let count = 0; count < 3; count += 1) status.tell('SendDirectMessage', delivered());
    const timeouts = { eventType: 'SendDirectMessage', reason: 'PUBACK_TIMEOUT', count: 1 };
    const deliveries = { eventType: 'SendDirectMessage', reason: 'DELIVERED', count: 3 };
    expect(status.report().outcomes).toEqual({ seconds: 200, counts: [deliveries, timeouts] });
    later(100_000);
    expect(status.report().outcomes).toEqual({ seconds: 300, counts: [deliveries] });
  });

  it('is told to people in lines that name what is wrong', () => {
    const { status } = open();
    status.tell('BrokerConnection', { ...CONNECTION, state: 'pluginMissing', details: 'no plugin' });
    status.tell('PolicyReload', { outcome: 'loaded', version: 'v1', policies: 2, principals: 3 });
    status.tell('PolicyReload', { outcome: 'refused', details: 'a.json: not JSON' });
    status.tell('SendDirectMessage', delivered({ reason: 'DELIVERY_PLUGIN_MISSING' }));
    const text = describeStatus({
      service: { version: '1.2.3', broker: 'emqx', ready: false },
      ...status.report(),
      shadow: true,
      credentials: { accessKeys: 1, mqttUsers: 2 },
      certificates: [
        { setting: 'http.tls.cert', subject: 'CN=api', expires: '2026-11-20T00:00:00.000Z', daysLeft: -2 },
      ],
    });
    for (const part of [
      'service      NOT READY, version 1.2.3, since 2026-11-21T03:00:00Z',
      'pluginMissing since 2026-11-21T03:00:00Z  mqtt://b  as c1',
      'error 2026-11-21T03:00:00Z: pluginMissing, no plugin',
      'version v1, since 2026-11-21T03:00:00Z, 2 policies, 3 principals',
      'LAST RELOAD REFUSED 2026-11-21T03:00:00Z: a.json: not JSON',
      'IN SHADOW',
      'http.tls.cert: CN=api, EXPIRED 2026-11-20T00:00:00Z (-2 days)',
      '1  SendDirectMessage  DELIVERY_PLUGIN_MISSING',
    ]) {
      expect(text).toContain(part);
    }
  });
});
