import { expect, test } from '@jest/globals';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { RequestSpans } from '../../src/http/request-spans.js';
import { noTracing, type RequestAnswer } from '../../src/observing/tracing.js';

test('pipelined requests share one listener on their connection, and end with it where their turn does not come', () => {
  const ended: RequestAnswer[] = [];
  const spans = new RequestSpans({
    ...noTracing,
    request: (incoming) =>
      Object.assign(noTracing.request(incoming), { end: (answer: RequestAnswer) => ended.push(answer) }),
  });
  const socket = new Socket();
  const before = socket.listenerCount('close');
  const responses = Array.from({ length: 20 }, () => {
    const request = new IncomingMessage(socket);
    const response = new ServerResponse(request);
    spans.begin(request);
    spans.endWith(request, response, '/x');
    return response;
  });
  expect(socket.listenerCount('close') - before).toBe(1);
  responses[0]?.emit('close');
  expect(ended).toHaveLength(1);
  socket.emit('close');
  expect(ended).toHaveLength(20);
});
