import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { IClientOptions, MqttClient, Packet } from 'mqtt';
import { Authority, opensslAvailable } from '../http/pki.js';
import { publish, sentUnasked, silent } from './support/clients.js';
import { onEmqx, testIf } from './support/suite.js';
import { freePort } from '../free-port.js';

const FACT = { username: 'fact', password: 'fact' };
const will = (topic: string, retain = false) => ({ topic, payload: Buffer.from('gone'), qos: 1 as const, retain });
const SESSION = { clean: false, properties: { sessionExpiryInterval: 60 } };
const PROTOCOLS = [{ protocolVersion: 5 }, { protocolVersion: 4 }] as const;

/** The topics that the subscriber gets retained messages of. */
async function retained(client: MqttClient, filter: string): Promise<readonly string[]> {
  const topics: string[] = [];
  const hear = (topic: string, _payload: Buffer, { retain }: { retain: boolean }) => {
    if (retain) topics.push(topic);
  };
  client.on('message', hear);
  await client.subscribeAsync(filter, { qos: 1 });
  await silent(client, 300);
  client.off('message', hear);
  await client.unsubscribeAsync(filter);
  return topics;
}

/** Ends with the connection; the code of the broker's DISCONNECT, where there is one. */
function closedWith(client: MqttClient): Promise<number | undefined> {
  return new Promise((resolve) => {
    let code: number | undefined;
    client.on('packetreceive', (packet: Packet) => {
      if (packet.cmd === 'disconnect') code = packet.reasonCode;
    });
    client.on('close', () => {
      resolve(code);
    });
    if (!client.connected) resolve(code);
  });
}

onEmqx('Facts that policies ask about', (bench, { isLocal }) => {
  const connect = (clientId: string, options: IClientOptions = {}) =>
    bench().connect(clientId, { ...FACT, ...options });
  const refused = (clientId: string, options: IClientOptions = {}) =>
    expect(connect(clientId, options)).rejects.toThrow(/Not authorized/i);

  test('a retained publish needs iot:RetainPublish, and another one does not', async () => {
    const client = await connect('retainer');
    expect(await publish(client, 'kept/a', 'x', { retain: true })).not.toBe(0x87);
    expect(await publish(client, 'loose/a', 'x', { retain: true })).toBe(0x87);
    expect(await publish(client, 'loose/a', 'x')).not.toBe(0x87);
    expect(await publish(client, '$delayed/1/loose/a', 'x', { retain: true })).toBe(0x87);
    expect(await retained(client, 'kept/#')).toEqual(['kept/a']);
    expect(await retained(client, 'loose/#')).toEqual([]);
    await publish(client, 'kept/a', '', { retain: true });
    await expect(bench().nextLine(({ topicName }) => topicName === 'loose/a')).resolves.toMatchObject({
      eventType: 'Publish-In',
      status: 'Failure',
      reason: 'PUBLISH_NOT_AUTHORIZED',
      clientId: 'retainer',
      qos: 1,
    });
  });

  test('a retained publish through a topic alias is asked about by its topic', async () => {
    const client = await connect('retainer-alias');
    expect(await publish(client, 'loose/alias', 'x', { properties: { topicAlias: 1 } })).not.toBe(0x87);
    expect(await publish(client, '', 'x', { retain: true, properties: { topicAlias: 1 } })).toBe(0x87);
    expect(await retained(client, 'loose/#')).toEqual([]);
  });

  test.each(PROTOCOLS)('a retained will needs iot:RetainPublish too (%j)', async (protocol) => {
    const watcher = await connect('retainer-watch');
    for (const topic of ['kept/will', 'loose/will']) {
      const dying = await connect(`dying-${topic.split('/')[0]}-${protocol.protocolVersion}`, {
        ...protocol,
        will: will(topic, true),
      });
      const closed = closedWith(dying);
      dying.stream.destroy();
      await closed;
    }
    await silent(watcher, 500);
    expect(await retained(watcher, 'kept/#')).toEqual(['kept/will']);
    expect(await retained(watcher, 'loose/#')).toEqual([]);
    await publish(watcher, 'kept/will', '', { retain: true });
  });

  test('who may not have a persistent session is refused before CONNACK, and let in without', async () => {
    await refused('brief-1', SESSION);
    await refused('brief-1', { properties: { sessionExpiryInterval: 60 } });
    await refused('brief-1', { clean: false, protocolVersion: 4 });
    for (const protocol of PROTOCOLS) await (await connect('brief-1', protocol)).endAsync();
    await (await connect('lasting-1', SESSION)).endAsync();
  });

  test.each(PROTOCOLS)('who may not have a will is disconnected, and it is not published (%j)', async (protocol) => {
    const watcher = await connect('watch-wills');
    await watcher.subscribeAsync('wills/#');
    const heard = silent(watcher, 1_500);
    const dying = await connect('willless-1', { ...protocol, will: will('wills/refused') });
    expect(await closedWith(dying)).toBe(protocol.protocolVersion === 5 ? 0x87 : undefined);
    expect(await heard).toBe(true);
    await expect(
      bench().nextLine(({ clientId, status }) => clientId === 'willless-1' && status === 'Failure'),
    ).resolves.toMatchObject({ eventType: 'Connect', reason: 'CONNECT_NOT_AUTHORIZED' });
  });

  test('a refused will is not published either where the client hangs up at once, and nothing that it sends is', async () => {
    const watcher = await connect('watch-hasty');
    await watcher.subscribeAsync('wills/#');
    const heard = silent(watcher, 1_500);
    await sentUnasked(bench().emqx.mqttUrl, [
      {
        cmd: 'connect',
        clientId: 'willless-2',
        clean: true,
        keepalive: 0,
        protocolVersion: 5,
        protocolId: 'MQTT',
        ...FACT,
        password: Buffer.from(FACT.password),
        will: will('wills/hasty'),
      },
      { cmd: 'publish', topic: 'wills/before', payload: 'x', qos: 0, dup: false, retain: false },
    ]);
    expect(await heard).toBe(true);
  });

  test.each(PROTOCOLS)('who may not have a will stays without, and does all else (%j)', async (protocol) => {
    const client = await connect('willless-3', protocol);
    await client.subscribeAsync('any/#');
    await silent(client, 300);
    expect(client.connected).toBe(true);
  });

  test.each(PROTOCOLS)('a will that is allowed is published (%j)', async (protocol) => {
    const watcher = await connect('watch-allowed');
    await watcher.subscribeAsync('wills/#');
    const heard = silent(watcher, 1_500);
    const dying = await connect('willing-1', { ...protocol, will: will('wills/allowed') });
    dying.stream.destroy();
    expect(await heard).toBe(false);
  });

  test('a connection in clear text is not secure', async () => {
    await refused('secure-1');
    const client = await connect('clear-1');
    expect(await publish(client, 'secure/a')).toBe(0x87);
  });

  describe('nobody gets at what the plugin asks', () => {
    test.each(['$tightbeam/+/x', '$tightbeam/x', '$delayed/1/$tightbeam/x', '$tightbeam/+/{"ask":"connect"}'])(
      'by a publish on %s',
      async (topic) => {
        const client = await connect('intruder');
        // A topic name with a wildcard is no topic name [MQTT-3.3.2-2].
        expect([0x87, 'closed']).toContain(await publish(client, topic));
        await client.endAsync(true);
      },
    );

    test('by a subscription', async () => {
      const client = await connect('intruder');
      for (const filter of ['$tightbeam/#', '$tightbeam/+/x', '$share/g/$tightbeam/#', '$tightbeam']) {
        await expect(client.subscribeAsync(filter)).rejects.toThrow('Not authorized');
      }
    });

    test('by a will', async () => {
      const dying = await connect('intruder-will', { will: will('$tightbeam/x') });
      dying.stream.destroy();
      await expect(connect('intruder-will', { will: will('$tightbeam/+/{"ask":"will"}') })).rejects.toThrow();
    });
  });

  testIf(isLocal && opensslAvailable, 'the broker is not on this machine, or there is no openssl')(
    'TLS, the server name and the issuer of the certificate are told',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'tightbeam-facts-'));
      const [ours, theirs] = [new Authority(folder, 'ours'), new Authority(folder, 'theirs')];
      const pem = (file: string) => readFileSync(file, 'utf8');
      const server = ours.issue('/CN=broker', 1, 'DNS:localhost');
      const port = await freePort();
      await bench().rest('POST', '/listeners', {
        type: 'ssl',
        name: 'facts',
        bind: `127.0.0.1:${port}`,
        ssl_options: {
          cacertfile: pem(ours.certFile) + pem(theirs.certFile),
          certfile: pem(server.cert),
          keyfile: pem(server.key),
          verify: 'verify_peer',
          fail_if_no_peer_cert: false,
        },
      });
      try {
        const over = (certificate?: { cert: string; key: string }, servername?: string): IClientOptions => ({
          servers: [{ host: '127.0.0.1', port, protocol: 'mqtts' }],
          ca: pem(ours.certFile),
          rejectUnauthorized: false,
          ...(servername && { servername }),
          ...(certificate && { cert: pem(certificate.cert), key: pem(certificate.key) }),
        });
        const byCertificate = { username: undefined, password: undefined } as unknown as IClientOptions;
        const client = await connect('secure-1', over());
        expect(await publish(client, 'secure/a')).not.toBe(0x87);
        const [own, other] = [ours.issue('/CN=fact'), theirs.issue('/CN=fact')];
        await connect('issued-1', { ...over(own), ...byCertificate });
        await refused('issued-2', { ...over(other), ...byCertificate });
        await connect('named-1', over(undefined, 'localhost'));
        await refused('named-2', over());
        await refused('named-3', over(undefined, 'another.example'));
      } finally {
        await bench().rest('DELETE', '/listeners/ssl:facts');
        rmSync(folder, { recursive: true });
      }
    },
  );
});
