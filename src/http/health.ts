import type { FastifyInstance } from 'fastify';

/**
 * What an orchestrator asks, without credentials: `/healthz` says that the process answers, `/readyz` that it can
 * deliver (503 where it cannot). Neither tells anything of callers or devices.
 */
export function addHealthRoutes(app: FastifyInstance, ready: () => boolean): void {
  app.get('/healthz', (_request, reply) => reply.send({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const able = ready();
    return reply.code(able ? 200 : 503).send({ status: able ? 'ready' : 'not ready' });
  });
}
