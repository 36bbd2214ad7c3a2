import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Reason } from '../../../src/reasons.js';
import { METRICS, prometheusName } from '../../../src/telemetry/metrics/catalogue.js';
import { nextMessage, send } from '../../brokers/embedded/harness.js';
import { call, openSocket, queryText, sign } from '../../http/support.js';
import type { Line } from '../capture.js';
import type { ReceivedSpan } from '../otlp-receiver.js';
import { scrape, sumOf } from '../scrape.js';
import { DOORS, reasonsOf, type Provoke } from './doors.js';
import { startService, type Service } from './service.js';
import { ERROR, expectTold, HOOK, Kind, MESSAGE, only, traceOf as traceOfReceiver } from './told.js';

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

const traceOf = (traceId: unknown, isLast: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan[]> =>
  traceOfReceiver(service.receiver, traceId, isLast);

describe.each(['HTTP', 'MQTT'] as const)('through %s', (door) => {
  const cases = Object.entries(DOORS[door]) as [Reason, Provoke][];

  it('every reason that can be answered is brought about', () => {
    // The last test of this file; a defect in the broker, which there is no way to bring about; other operations.
    const elsewhere: Reason[] = [
      door === 'HTTP' ? 'SHUTTING_DOWN' : 'INTERNAL_ERROR',
      // Nobody is there to hear it: the log alone has it (test/http/send-direct-message.test.ts).
      'CALLER_GONE',
      // Over MQTT requests are the service's own alone.
      ...(door === 'HTTP' ? [] : (['ANSWERED', 'ACKNOWLEDGED_NOT_ANSWERED', 'RESPONSE_TOO_LARGE'] as const)),
      ...(['OPERATION_NOT_AUTHORIZED', 'RETAINED_MESSAGE_NOT_FOUND', 'NOT_SUPPORTED'] as const),
    ];
    const missing = reasonsOf(door).filter((reason) => !(reason in DOORS[door]) && !elsewhere.includes(reason));
    expect(missing).toEqual([]);
  });

  it.each(cases)('%s is logged, traced and counted', (reason, provoke) =>
    expectTold(service, door, reason, () => provoke(service, `${door}-${reason}`)),
  );
});

describe('the trace of a message through HTTP', () => {
  it('is that of the caller, has a span for each hop, and reaches the device', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const device = await service.broker.connect('traced-1');
    const message = nextMessage(device);
    const answer = await call(service.port, {
      path: '/connections/traced-1/messages',
      query: { topic: 'commands/open', confirmation: 'true' },
      headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    });
    expect(answer.body['traceId']).toBe(traceId);
    const spans = await traceOf(traceId, ({ parentSpanId }) => parentSpanId === 'b7ad6b7169203331');
    const server = only(spans, ({ parentSpanId }) => parentSpanId === 'b7ad6b7169203331');
    const deliver = only(spans, ({ name }) => name === MESSAGE);
    const sender = only(spans, ({ name }) => name === 'authorize');
    const receiver = only(spans, ({ name }) => HOOK.test(name));
    expect(server).toMatchObject({ name: 'POST /connections/:clientId/messages', kind: Kind.Server });
    expect(sender).toMatchObject({ parentSpanId: server.spanId, kind: Kind.Internal });
    expect(deliver).toMatchObject({ parentSpanId: server.spanId, kind: Kind.Producer, events: [{ name: 'puback' }] });
    expect(receiver).toMatchObject({ parentSpanId: deliver.spanId, kind: Kind.Server });
    expect(sender.attributes).toMatchObject({
      'tightbeam.decision.action': 'iot:SendDirectMessage',
      'tightbeam.decision.policy': 'all',
      'tightbeam.decision.statement': 'Everything',
      'tightbeam.decision.principal': 'backend',
    });
    expect(receiver.attributes).toMatchObject({
      'tightbeam.decision.action': 'iot:Receive',
      'tightbeam.decision.principal': 'device',
    });
    const { properties } = (await message).packet;
    expect(properties?.userProperties).toMatchObject({ traceparent: `00-${traceId}-${deliver.spanId}-01` });
    expect(await service.log.next((line) => line['traceId'] === traceId)).toMatchObject({
      eventType: 'SendDirectMessage',
      principalId: 'backend',
      targetClientId: 'traced-1',
      policy: 'all',
      statement: 'Everything',
    });
  });

  it('has the line and the span of a receiver who may not receive', async () => {
    await service.broker.connect('traced-2');
    const query = { topic: 'unheard/open', confirmation: 'true' };
    const { body } = await call(service.port, { path: '/connections/traced-2/messages', query });
    const spans = await traceOf(body['traceId'], ({ kind, name }) => kind === Kind.Server && !HOOK.test(name));
    expect(only(spans, ({ name }) => HOOK.test(name)).attributes).toMatchObject({
      'tightbeam.reason': 'RECEIVER_NOT_AUTHORIZED',
      'tightbeam.decision.statement': 'NotThose',
    });
    const line = await service.log.next((l) => l['traceId'] === body['traceId'] && l['eventType'] === 'Receive');
    expect(line).toMatchObject({ clientId: 'traced-2', statement: 'NotThose', cause: 'explicitDeny' });
    const outcome = await service.log.next(
      (l) => l['traceId'] === body['traceId'] && l['eventType'] === 'SendDirectMessage',
    );
    expect(outcome).toMatchObject({
      reason: 'RECEIVER_NOT_AUTHORIZED',
      principalId: 'backend',
      receiverPrincipalId: 'device',
      action: 'iot:Receive',
      statement: 'NotThose',
      cause: 'explicitDeny',
    });
  });
});

describe('the trace of a message through MQTT', () => {
  it('is that of the sender, with the decisions about both ends', async () => {
    const traceId = 'aaf7651916cd43dd8448eb211c80319c';
    await service.broker.connect('traced-3');
    const sender = await service.broker.connect('traced-sender');
    const userProperties = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    expect(await send(sender, '$dm/traced-3/commands/open', { userProperties })).toBe(0);
    const spans = await traceOf(traceId, ({ name }) => name === MESSAGE);
    const message = only(spans, ({ name }) => name === MESSAGE);
    expect(message).toMatchObject({ parentSpanId: 'b7ad6b7169203331', events: [{ name: 'puback' }] });
    await service.receiver.next(
      (s) => s.attributes['tightbeam.authorize.role'] === 'receiver' && s.traceId === traceId,
    );
    const roles = service.receiver.spans
      .filter((s) => s.traceId === traceId && s.parentSpanId === message.spanId)
      .map(({ attributes }) => attributes['tightbeam.authorize.role']);
    expect(roles.sort()).toEqual(['receiver', 'sender']);
    expect(await service.log.next((line) => line['traceId'] === traceId)).toMatchObject({
      protocol: 'MQTT',
      clientId: 'traced-sender',
      targetClientId: 'traced-3',
      reason: 'DELIVERED',
    });
  });
});

describe('clients', () => {
  it('that are refused are logged, traced and counted', async () => {
    await service.broker.connect('nobody-1').catch(() => undefined);
    const refused = await service.log.next((line) => line['reason'] === 'CONNECT_NOT_AUTHORIZED');
    expect(refused).toMatchObject({ eventType: 'Connect', clientId: 'nobody-1', statement: 'NotThem' });
    expect(await service.receiver.next(({ traceId }) => traceId === refused['traceId'])).toMatchObject({
      name: 'emqx.exhook.v2.HookProvider/OnClientAuthenticate',
      attributes: { 'tightbeam.reason': 'CONNECT_NOT_AUTHORIZED' },
      status: { code: ERROR },
    });

    const device = await service.broker.connect('device-1');
    await device.subscribeAsync('forbidden/a').catch(() => undefined);
    device.publish('forbidden/b', 'x');
    for (const [reason, eventType] of [
      ['SUBSCRIBE_NOT_AUTHORIZED', 'Subscribe'],
      ['PUBLISH_NOT_AUTHORIZED', 'Publish-In'],
    ] as const) {
      const line = await service.log.next((other) => other['reason'] === reason);
      expect(line).toMatchObject({ eventType, clientId: 'device-1', statement: 'NotThose' });
      await service.receiver.next(({ traceId }) => traceId === line['traceId']);
      const samples = await scrape(service.metricsPort);
      expect(sumOf(samples, prometheusName(METRICS.clientEvents), { event: eventType, reason })).toBe(1);
    }
  });

  it('that come, subscribe, unsubscribe and go have a line for each', async () => {
    const device = await service.broker.connect('device-2');
    await device.subscribeAsync('free/#');
    await device.unsubscribeAsync('free/#');
    await device.endAsync();
    const types = ['Connect', 'Subscribe', 'Unsubscribe', 'Disconnect'];
    for (const eventType of types) {
      const line = await service.log.next((l) => l['eventType'] === eventType && l['clientId'] === 'device-2');
      expect(line).toMatchObject({ status: 'Success', protocol: 'MQTT', sourceIp: '127.0.0.1' });
    }
    expect(
      service.log.lines.find((l) => l['eventType'] === 'Disconnect' && l['clientId'] === 'device-2'),
    ).toMatchObject({
      disconnectReason: 'CLIENT_INITIATED_DISCONNECT',
    });
  });
});

describe('a service that shuts down', () => {
  it('logs, traces and answers SHUTTING_DOWN to requests on connections that are open', async () => {
    const line = await shuttingDown();
    expect(line).toMatchObject({ reason: 'SHUTTING_DOWN', logLevel: 'ERROR' });
    expect(await service.receiver.next(({ traceId }) => traceId === line['traceId'])).toMatchObject({
      kind: Kind.Server,
      attributes: { 'tightbeam.reason': 'SHUTTING_DOWN', 'http.response.status_code': 503 },
    });
  });

  /** A request on a connection that another request keeps open while the service drains. */
  async function shuttingDown(): Promise<Line> {
    const device = await service.broker.raw('draining');
    const query = { topic: 't', confirmation: 'true', timeout: '1' };
    const { path, headers } = await sign(service.port, { path: '/connections/draining/messages', query, body: '' });
    const lines = Object.entries({ ...headers, 'content-length': '0' }).map(([name, value]) => `${name}: ${value}\r\n`);
    const request = `POST ${path}${queryText(query)} HTTP/1.1\r\n${lines.join('')}\r\n`;
    const socket = (await openSocket(service.port)).resume();
    socket.write(request);
    await device.next('publish');
    const stopped = service.dataPlane.stop();
    socket.write(request);
    const line = await service.log.next(({ reason }) => reason === 'SHUTTING_DOWN');
    await stopped;
    return line;
  }
});
