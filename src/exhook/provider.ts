import {
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition as GrpcServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { clientContext, type ClientOptions } from '../clients/context.js';
import type { HookSpan } from '../observing/tracing.js';
import type { TlsMaterial } from '../tls/files.js';
import { DENY, type CallContext } from './answers.js';
import { HANDLERS, type Caller } from './calls.js';
import { LIFECYCLE_HOOKS, mergeHooks, REQUIRED_HOOKS, type Hook } from './hooks.js';
import { outcomeOf, routeOf } from './observed.js';
import { GENERATIONS, serviceDefinition, type Generation } from './protocol.js';
import { Tap } from './tap/tap.js';
import type { TapWishes } from './tap/wishes.js';
import { TlsListener } from './tls-listener.js';
import type { CallName, RequestOf, ResponseOf } from './wire.js';

export interface HookProviderOptions extends ClientOptions {
  /** Hooks to register where the broker has no event tap, beyond those of connections. */
  readonly hooks?: readonly Hook[];
  /** What the event tap of the broker's plugin tells of. */
  readonly wishes?: TapWishes;
  /** Speaks TLS; with `clientCa`, only with callers that show a certificate issued by it. Default: clear text. */
  readonly tls?: TlsMaterial;
}

/** gRPC server that EMQX (and the embedded broker) asks: `HookProvider` of ExHook, both generations on one port. */
export interface HookProvider {
  /**
   * Listens. Port 0 takes a free one.
   *
   * @returns the port.
   * @throws where the address cannot be listened on.
   */
  start(host: string, port: number): Promise<number>;
  /**
   * Uses other TLS material from now on. Connections stay, unless an authority of `clientCa` is there no more: then they
   * end, each with the calls under way on it.
   *
   * @throws where the provider was made without TLS.
   */
  replaceTls(material: TlsMaterial): void;
  /** Has the event tap tell of something else from now on. */
  replaceWishes(wishes: TapWishes): void;
  /** Takes no more calls, answers those under way, and closes; after `graceMs` it closes all the same. */
  stop(graceMs?: number): Promise<void>;
}

/** What answers where a handler fails, the request cannot be decoded, or nothing handles the call: fail closed. */
const fallbacks: { readonly [Name in CallName]?: ResponseOf<Name> } = {
  OnProviderLoaded: { hooks: mergeHooks([...REQUIRED_HOOKS, ...LIFECYCLE_HOOKS]) },
  OnClientAuthenticate: DENY,
  OnClientAuthorize: DENY,
  OnMessagePublish: { type: 'IGNORE' },
};

const NO_WISHES: TapWishes = {
  publishIn: [],
  publishOut: [],
  publishAck: [],
  dropped: [],
  noSubscribers: [],
  unsubscribe: false,
  sessions: false,
  lifecycleEvents: false,
  clients: ['*'],
  successRatio: 1,
  topicGroups: {},
};

/** Stands for a request whose bytes are no such message. */
const MALFORMED = Symbol('malformed');

export function createHookProvider(options: HookProviderOptions): HookProvider {
  const { diagnostics } = options;
  const tap = new Tap(options.wishes ?? NO_WISHES, () => performance.now());
  const context: CallContext = { ...clientContext(options), hooks: options.hooks ?? [], tap };

  async function answer<Name extends CallName>(
    name: Name,
    request: RequestOf<Name> | typeof MALFORMED,
    span: HookSpan,
    caller: Caller,
  ): Promise<{ response: ResponseOf<Name>; failed?: true }> {
    const fallback = (fallbacks[name] ?? {}) as ResponseOf<Name>;
    try {
      if (request === MALFORMED) throw new Error('The request cannot be decoded.');
      const handler = HANDLERS[name];
      return { response: handler === undefined ? fallback : await handler(request, context, span, caller) };
    } catch (error) {
      // The request itself stays out of the log: it can hold a password.
      diagnostics('error', 'A hook call failed.', { call: name, answered: fallback, error: messageOf(error) });
      return { response: fallback, failed: true };
    }
  }

  /** The broker has its answer before anything is recorded of it. */
  async function serve<Name extends CallName>(
    generation: Generation,
    name: Name,
    request: RequestOf<Name> | typeof MALFORMED,
    caller: Caller,
    reply: (response: ResponseOf<Name>) => void,
  ): Promise<void> {
    const route = request === MALFORMED ? {} : routeOf(name, request, context.serviceUsername);
    const span = context.tracing.hookCall({ generation, name, ...route });
    const { response, failed } = await answer(name, request, span, caller);
    reply(response);
    span.end(failed ? 'failed' : outcomeOf(response));
  }

  const server = new Server();
  for (const generation of GENERATIONS) {
    const { service, implementation } = unaryService(generation, serve);
    server.addService(service, implementation);
  }

  const secure = options.tls && new TlsListener(server, options.tls, diagnostics);
  return {
    start: (host, port) => (secure === undefined ? listenInClear(server, host, port) : secure.listen(host, port)),
    replaceTls: (material) => {
      if (secure === undefined) throw new Error('The hook provider does not speak TLS.');
      secure.replace(material);
    },
    replaceWishes: (wishes) => {
      tap.replace(wishes);
    },
    stop: (graceMs = 5_000) =>
      new Promise((resolve) => {
        secure?.close();
        const force = setTimeout(() => {
          server.forceShutdown();
        }, graceMs);
        server.tryShutdown(() => {
          clearTimeout(force);
          secure?.destroy();
          resolve();
        });
      }),
  };
}

/** Host and port as they stand in a URL (RFC 3986, section 3.2): an IPv6 address in brackets. */
export function authorityOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function listenInClear(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(authorityOf(host, port), ServerCredentials.createInsecure(), (error, bound) => {
      if (error !== null) reject(error);
      else resolve(bound);
    });
  });
}

/**
 * EMQX logs a call that fails with the whole request in it, password included. So no call fails: a request that cannot
 * be decoded is handed on as MALFORMED in place of the error that the library would answer.
 */
function unaryService(
  generation: Generation,
  serve: <Name extends CallName>(
    generation: Generation,
    name: Name,
    request: RequestOf<Name> | typeof MALFORMED,
    caller: Caller,
    reply: (response: ResponseOf<Name>) => void,
  ) => Promise<void>,
): { service: GrpcServiceDefinition; implementation: UntypedServiceImplementation } {
  const service: Record<string, GrpcServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [key, definition] of Object.entries(serviceDefinition(generation))) {
    const name = key as CallName;
    service[name] = {
      ...definition,
      requestDeserialize: (bytes: Buffer) => {
        try {
          return definition.requestDeserialize(bytes);
        } catch {
          return MALFORMED;
        }
      },
    };
    implementation[name] = (
      call: ServerUnaryCall<RequestOf<typeof name> | typeof MALFORMED, ResponseOf<typeof name>>,
      callback: sendUnaryData<ResponseOf<typeof name>>,
    ) => {
      void serve(generation, name, call.request, call, (response) => {
        callback(null, response);
      });
    };
  }
  return { service: service as GrpcServiceDefinition, implementation };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
