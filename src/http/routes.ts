import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { METHODS } from 'node:http';
import type { Reason } from '../reasons.js';
import type { Operation } from './operation.js';
import { Ended } from './rendering.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The operation that the route leads to. */
    operation?: Operation;
  }
}

type Operate = (operation: Operation, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** A route an operation; 405 for every other method on its path; 404 for every other path. */
export function addRoutes(app: FastifyInstance, operations: readonly Operation[], operate: Operate): void {
  for (const method of METHODS) {
    if (!app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true });
  }
  const methodsOf = new Map<string, HTTPMethods[]>();
  for (const operation of operations) {
    const { method, path } = operation;
    methodsOf.set(path, [...(methodsOf.get(path) ?? []), method]);
    const config = { operation };
    app.route({ method, url: urlOf(path), config, handler: (request, reply) => operate(operation, request, reply) });
  }
  for (const [path, allowed] of methodsOf) {
    const ending = { reason: 'METHOD_NOT_ALLOWED', headers: { allow: allowed.join(', ') } } as const;
    const method = app.supportedMethods.filter((other) => !allowed.includes(other));
    app.route({ method, url: urlOf(path), handler: () => Promise.reject(new Ended(ending)) });
  }
  app.setNotFoundHandler((request) =>
    Promise.reject(new Ended({ reason: 'UNKNOWN_OPERATION', ...scopeOf(request.url) })),
  );
}

/** A colon that is no label's is the router's `::`. */
function urlOf(path: string): string {
  return path.replaceAll(/(?<!\/):/g, '::');
}

/** What is wrong with a path whose percent-encoding is broken: its label, where it is that of an operation. */
export function labelFaultOf(operations: readonly Operation[], path: string): Reason {
  const operation = operations.find(({ path: pattern, labelFault }) => {
    return labelFault !== undefined && path.startsWith(pattern.slice(0, pattern.search(/[:*]/)));
  });
  return operation?.labelFault ?? 'UNKNOWN_OPERATION';
}

/** Names the parts of AWS IoT's data plane that Tightbeam leaves out, so that nobody looks for a typing error. */
function scopeOf(url: string): { readonly details?: string } {
  if (/^\/(?:api\/)?things\//.test(url)) return { details: 'Device shadows and jobs are out of scope here.' };
  if (/^\/(?:rules|certificates|policies)\b/.test(url))
    return { details: 'The control plane of AWS IoT is out of scope here.' };
  return {};
}
