import type { FastifyInstance } from 'fastify';
import type { StatusReport } from '../observing/status.js';

export interface Health {
  readonly ready?: () => boolean;
  readonly shadow?: () => boolean;
  /** Parts of the whole, for `/readyz?verbose`. */
  readonly status?: () => StatusReport;
}

/**
 * What an orchestrator asks, without credentials: `/healthz` says that the process answers, `/readyz` that it can
 * deliver (503 where it cannot), and whether policies are in shadow; `/readyz?verbose` further, of how many connections to the
 * broker each state is, and whether the latest policies took effect. None tells anything of callers or devices.
 */
export function addHealthRoutes(
  app: FastifyInstance,
  { ready = () => true, shadow = () => false, status }: Health,
): void {
  app.get('/healthz', (_request, reply) => reply.send({ status: 'ok' }));
  app.get('/readyz', (request, reply) => {
    const able = ready();
    const authorization = shadow() ? { authorization: 'shadow' } : {};
    const parts = status !== undefined && /[?&]verbose(?:[=&]|$)/.test(request.url) ? partsOf(status()) : {};
    return reply.code(able ? 200 : 503).send({ status: able ? 'ready' : 'not ready', ...authorization, ...parts });
  });
}

function partsOf({ connections, policies }: StatusReport): object {
  const brokerConnections: Record<string, number> = {};
  for (const { state } of connections) brokerConnections[state] = (brokerConnections[state] ?? 0) + 1;
  return { brokerConnections, policies: policies?.lastReload.outcome ?? 'not loaded' };
}
