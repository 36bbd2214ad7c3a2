import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { createHookProvider, type HookProvider, type HookProviderOptions } from '../../src/exhook/provider.js';
import { serviceDefinition, type Generation } from '../../src/exhook/protocol.js';
import type { CallName, RequestOf, ResponseOf } from '../../src/exhook/wire.js';
import { fakeAuthenticator, fakeAuthorizer, FakeEvents } from './fakes.js';

export type Logged = Parameters<HookProviderOptions['diagnostics']>;

/** Read once: to parse the files of the protocol takes far longer than a call. */
const definitions = { v2: serviceDefinition('v2'), v3: serviceDefinition('v3') };

/** A provider, on a free port unless told otherwise, with fakes behind it, and a client that speaks to it in raw bytes or in messages. */
export async function startProvider(options: Partial<HookProviderOptions> = {}, wantedPort = 0) {
  const events = new FakeEvents();
  const authorizer = fakeAuthorizer();
  const authenticator = fakeAuthenticator();
  const logged: Logged[] = [];
  const provider: HookProvider = createHookProvider({
    authenticator,
    authorizer,
    events,
    diagnostics: (...entry) => logged.push(entry),
    serviceUsername: 'tightbeam',
    ...options,
  });
  const port = await provider.start('127.0.0.1', wantedPort);
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());

  /** Sends these very bytes as the request. Rejects where the answer is a gRPC error. */
  function callRaw<Name extends CallName>(
    generation: Generation,
    name: Name,
    bytes: Buffer,
  ): Promise<ResponseOf<Name>> {
    const { path, responseDeserialize } = definitions[generation][name];
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        (raw: Buffer) => raw,
        responseDeserialize,
        bytes,
        (error: ServiceError | null, response?: ResponseOf<Name>) => {
          if (response === undefined) reject(error ?? new Error('neither error nor response'));
          else resolve(response);
        },
      );
    });
  }

  return {
    provider,
    port,
    events,
    authorizer,
    authenticator,
    logged,
    callRaw,
    call: <Name extends CallName>(generation: Generation, name: Name, request: RequestOf<Name>) =>
      callRaw(generation, name, definitions[generation][name].requestSerialize(request)),
    async stop(): Promise<void> {
      client.close();
      await provider.stop();
    },
  };
}

/** Client info as EMQX fills it for a device over TCP. */
export function clientInfo(overrides: Partial<RequestOf<'OnClientConnected'>['clientinfo'] & object> = {}) {
  return {
    node: 'emqx@127.0.0.1',
    clientid: 'lock-17',
    username: 'lock-17',
    password: '',
    peerhost: '10.0.0.17',
    sockport: 1883,
    protocol: 'mqtt',
    mountpoint: '',
    is_superuser: false,
    anonymous: true,
    cn: '',
    dn: '',
    peerport: 50_017,
    ...overrides,
  };
}

export const meta = { node: 'emqx@127.0.0.1', version: '5.8.9', sysdescr: 'EMQX', cluster_name: 'emqxcl' };
