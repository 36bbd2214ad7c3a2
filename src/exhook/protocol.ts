import { fileURLToPath } from 'node:url';
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { CallName, Calls } from './wire.js';

/** Generations of EMQX's ExHook: v2 is called by EMQX 5.0 to 5.8, v3 by 5.9 and 6.x. */
export const GENERATIONS = ['v2', 'v3'] as const;
export type Generation = (typeof GENERATIONS)[number];

export type CallDefinition<Name extends CallName> = MethodDefinition<Calls[Name]['request'], Calls[Name]['response']>;
export type ServiceDefinition = { readonly [Name in CallName]: CallDefinition<Name> };

/**
 * Service definition of one generation, read from proto/. 64-bit numbers are text, enums are names, bytes are Buffers;
 * scalars and lists that the wire leaves out have their defaults, messages that it leaves out are null.
 */
export function serviceDefinition(generation: Generation): ServiceDefinition {
  const file = fileURLToPath(new URL(`../../proto/exhook.${generation}.proto`, import.meta.url));
  const definition = loadSync(file, {
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    arrays: true,
    objects: true,
  });
  const grpcObject = loadPackageDefinition(definition) as unknown as Record<
    'emqx',
    { exhook: Record<Generation, { HookProvider: { service: ServiceDefinition } }> }
  >;
  return grpcObject.emqx.exhook[generation].HookProvider.service;
}
