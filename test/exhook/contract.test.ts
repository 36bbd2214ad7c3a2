import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LIFECYCLE_HOOKS, REQUIRED_HOOKS } from '../../src/exhook/hooks.js';
import { GENERATIONS, serviceDefinition } from '../../src/exhook/protocol.js';
import type { CallName } from '../../src/exhook/wire.js';
import { startProvider, clientInfo, meta } from './harness.js';
import { rareEvents, versions } from './recordings.js';

/** As the recordings write it: bytes in base64. */
function asRecorded(decoded: unknown): unknown {
  return JSON.parse(
    JSON.stringify(decoded, (_key, value: unknown) =>
      isBufferJson(value) ? Buffer.from(value.data).toString('base64') : value,
    ),
  );
}

function isBufferJson(value: unknown): value is { type: 'Buffer'; data: number[] } {
  return typeof value === 'object' && value !== null && (value as { type?: unknown }).type === 'Buffer';
}

const EXPECTED_ANSWERS: Partial<Record<CallName, unknown>> = {
  OnProviderLoaded: { hooks: [...REQUIRED_HOOKS, ...LIFECYCLE_HOOKS] },
  OnClientAuthenticate: { type: 'STOP_AND_RETURN', bool_result: true },
  OnClientAuthorize: { type: 'STOP_AND_RETURN', bool_result: true },
  OnMessagePublish: { type: 'IGNORE' },
};

let harness: Awaited<ReturnType<typeof startProvider>>;
beforeAll(async () => {
  harness = await startProvider();
});
afterAll(() => harness.stop());

describe.each(versions)('the recording of EMQX $version', ({ generation, calls }) => {
  const service = serviceDefinition(generation);

  test('is decoded as EMQX meant it', () => {
    for (const { method, raw, request } of calls) {
      const decoded = asRecorded(service[method].requestDeserialize(Buffer.from(raw, 'base64')));
      expect({ method, decoded }).toEqual({ method, decoded: request });
    }
  });

  test('loses no field where it is encoded again', () => {
    for (const { method, raw } of calls) {
      const decoded = service[method].requestDeserialize(Buffer.from(raw, 'base64'));
      const encode = service[method].requestSerialize as (request: unknown) => Buffer;
      const encoded = encode(decoded);
      expect(asRecorded(service[method].requestDeserialize(encoded))).toEqual(asRecorded(decoded));
      // What the definition does not know would be left out.
      expect(encoded.length).toBeGreaterThanOrEqual(Buffer.from(raw, 'base64').length);
    }
  });

  test('is answered call by call, on the bytes of the wire', async () => {
    for (const { seq, method, raw } of calls) {
      const answer = await harness.callRaw(generation, method, Buffer.from(raw, 'base64'));
      expect({ seq, method, answer }).toEqual({ seq, method, answer: EXPECTED_ANSWERS[method] ?? {} });
    }
  });

  test('holds every call there is', () => {
    const seen = new Set(calls.map(({ method }) => method));
    expect([...seen].sort()).toEqual(Object.keys(service).sort());
  });
});

test('passwords of the recordings reach the authenticator, and neither log nor events', async () => {
  const secrets = rareEvents
    .map((call) => (call.request['clientinfo'] as { password?: string } | undefined)?.password)
    .filter((password) => password !== undefined && password !== '');
  expect(secrets).toContain('secret-4');
  expect(harness.authenticator.seen.map((credentials) => credentials.password)).toEqual(
    expect.arrayContaining(secrets),
  );
  await harness.events.next('Disconnect', (event) => event.disconnectReason === 'tcp_closed');
  const told = JSON.stringify([harness.events.all, harness.logged]);
  for (const secret of secrets) expect(told).not.toContain(secret);
});

describe.each(GENERATIONS)('generation %s', (generation) => {
  test.each(Object.keys(serviceDefinition(generation)) as CallName[])(
    '%s is answered, whatever the bytes',
    async (name) => {
      const denied = { type: 'STOP_AND_RETURN', bool_result: false };
      const answers: Partial<Record<CallName, unknown>> = {
        ...EXPECTED_ANSWERS,
        OnClientAuthenticate: denied,
        OnClientAuthorize: denied,
      };
      // Nothing at all is a message with every field left out; a length beyond the end is no message.
      for (const bytes of [Buffer.alloc(0), Buffer.from([0x0a, 0x7f, 0x01]), Buffer.from('not protobuf')]) {
        expect(await harness.callRaw(generation, name, bytes)).toEqual(answers[name] ?? {});
      }
    },
  );
});

describe('generation v3', () => {
  const props = [{ name: 'Session-Expiry-Interval', value: '60' }];
  const user_props = [
    { name: 'fw', value: '1.2.3' },
    { name: 'fw', value: 'again' },
  ];
  const conninfo = {
    node: 'emqx@127.0.0.1',
    clientid: 'lock-17',
    username: '',
    peerhost: '10.0.0.17',
    sockport: 1883,
    proto_name: 'MQTT',
    proto_ver: '5',
    keepalive: 60,
    peerport: 50_017,
  };
  const subscriptions = {
    clientinfo: clientInfo(),
    props: [],
    user_props,
    topic_filters: [{ name: 'a/+', subopts: { qos: 1, rh: 0, rap: 0, nl: 0 } }],
    meta,
  };
  const message = {
    node: 'n',
    id: '0',
    qos: 1,
    from: 'lock-17',
    topic: 'a/b',
    payload: Buffer.from('p'),
    timestamp: '1795229572775',
    headers: { username: 'lock-17' },
  };

  test('carries user properties apart from the others', () => {
    const service = serviceDefinition('v3');
    const check = <Request>(
      call: { requestSerialize: (r: Request) => Buffer; requestDeserialize: (b: Buffer) => Request },
      request: Request,
    ) => {
      expect(call.requestDeserialize(call.requestSerialize(request))).toEqual(request);
    };
    check(service.OnClientConnect, { conninfo, props, user_props, meta });
    check(service.OnClientConnack, { conninfo, result_code: 'success', props, user_props, meta });
    check(service.OnClientSubscribe, subscriptions);
    check(service.OnClientUnsubscribe, subscriptions);
    check(service.OnMessagePublish, { message, props, user_props, meta });
  });

  test('has its user properties on the field numbers of EMQX', () => {
    const bytes = serviceDefinition('v3').OnClientConnect.requestSerialize({
      conninfo: null,
      props: [],
      user_props: [{ name: 'a', value: 'b' }],
      meta: null,
    });
    // Field 4, length-delimited: 4 << 3 | 2.
    expect(bytes).toEqual(Buffer.from([0x22, 0x06, 0x0a, 0x01, 0x61, 0x12, 0x01, 0x62]));
  });

  test('is decided as v2 is', async () => {
    for (const generation of GENERATIONS) {
      expect(
        await harness.call(generation, 'OnClientAuthenticate', {
          clientinfo: clientInfo({ password: 'wrong' }),
          result: false,
          meta,
        }),
      ).toEqual({ type: 'STOP_AND_RETURN', bool_result: false });
      expect(
        await harness.call(generation, 'OnClientAuthorize', {
          clientinfo: clientInfo(),
          type: 'PUBLISH',
          topic: 'a/b',
          result: true,
          meta,
        }),
      ).toEqual({ type: 'STOP_AND_RETURN', bool_result: true });
    }
  });
});

test('a v2 request of EMQX before 5.4, with fields that are gone since, is decoded', () => {
  const service = serviceDefinition('v2');
  // topic_filters { name: "t", qos (2): 1 }
  const decoded = service.OnClientSubscribe.requestDeserialize(Buffer.from([0x1a, 0x05, 0x0a, 0x01, 0x74, 0x10, 0x01]));
  expect(decoded.topic_filters).toEqual([{ name: 't', subopts: null }]);
});
