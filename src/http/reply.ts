import type { FastifyReply } from 'fastify';
import { render, type Answer } from './rendering.js';

/** Sends an answer the ordinary way. */
export function send(reply: FastifyReply, answer: Answer, traceId: string): FastifyReply {
  const { status, headers, body } = render(answer, traceId);
  // With a serializer of its own, or Fastify would add a charset, which AWS does not have. As text and not as bytes: Node
  // sends text with the head in one piece.
  return reply.code(status).headers(headers).serializer(asIs).send(body);
}

function asIs(body: unknown): string {
  return body as string;
}
