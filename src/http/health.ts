import type { FastifyInstance } from 'fastify';

export interface Health {
  readonly ready?: () => boolean;
  readonly shadow?: () => boolean;
}

/**
 * What an orchestrator asks, without credentials: `/healthz` says that the process answers, `/readyz` that it can
 * deliver (503 where it cannot), and whether policies are in shadow. Neither tells anything of callers or devices.
 */
export function addHealthRoutes(app: FastifyInstance, { ready = () => true, shadow = () => false }: Health): void {
  app.get('/healthz', (_request, reply) => reply.send({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const able = ready();
    const authorization = shadow() ? { authorization: 'shadow' } : {};
    return reply.code(able ? 200 : 503).send({ status: able ? 'ready' : 'not ready', ...authorization });
  });
}
