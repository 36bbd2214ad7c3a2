import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { HOOK_CALLS } from '../../../src/exhook/hooks.js';
import { serviceDefinition } from '../../../src/exhook/protocol.js';
import type { CallName, HookSpec, RequestOf, ResponseOf } from '../../../src/exhook/wire.js';

export interface SeenCall {
  readonly method: CallName;
  readonly request: Record<string, unknown>;
}

type Answers = {
  readonly [Name in CallName]?: (request: RequestOf<Name>) => ResponseOf<Name> | Promise<ResponseOf<Name>>;
};

const ALLOW = { type: 'STOP_AND_RETURN', bool_result: true } as const;

/** A hook provider that remembers every call, registers every hook (or those given) and allows all but what it is told. */
export async function startScriptedProvider({
  hooks = Object.keys(HOOK_CALLS).map((name) => ({ name, topics: [] })),
  answers = {},
  port: wanted = 0,
}: { hooks?: HookSpec[]; answers?: Answers; port?: number } = {}) {
  const calls: SeenCall[] = [];
  const waiting: (() => void)[] = [];
  const defaults: Answers = {
    OnProviderLoaded: () => ({ hooks }),
    OnClientAuthenticate: () => ALLOW,
    OnClientAuthorize: () => ALLOW,
    OnMessagePublish: () => ({ type: 'IGNORE' }),
  };
  const service = serviceDefinition('v2');
  const server = new Server();
  server.addService(
    service,
    Object.fromEntries(
      (Object.keys(service) as CallName[]).map((method) => [
        method,
        (call: ServerUnaryCall<Record<string, unknown>, unknown>, callback: sendUnaryData<unknown>) => {
          calls.push({ method, request: call.request });
          for (const wake of waiting.splice(0)) wake();
          const answer = (answers[method] ?? defaults[method]) as ((request: unknown) => unknown) | undefined;
          void Promise.resolve(answer?.(call.request) ?? {}).then((response) => {
            callback(null, response);
          });
        },
      ]),
    ),
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${wanted}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return {
    port,
    calls,
    /** The first call of that kind for which `matches` holds, past or to come. */
    async next<Name extends CallName>(method: Name, matches: (request: RequestOf<Name>) => boolean = () => true) {
      for (;;) {
        const found = calls.find((call) => call.method === method && matches(call.request as RequestOf<Name>));
        if (found !== undefined) return found.request as RequestOf<Name>;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
    /** Cuts every connection. */
    stop(): void {
      server.forceShutdown();
    },
  };
}
