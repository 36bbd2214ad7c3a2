import { once } from 'node:events';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A load balancer that sends each request to the next of its backends, and answers 502 where that one breaks off. */
export interface RoundRobin {
  readonly endpoint: string;
  /** Of each request that came: `amz-sdk-invocation-id`, and the trace ID of the answer once there is one. */
  readonly requests: readonly {
    readonly invocation: string | undefined;
    traceId?: string | undefined;
    status?: number;
  }[];
  /** Settles when so many requests have come. */
  arrived(count: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startRoundRobin(ports: readonly number[]): Promise<RoundRobin> {
  const requests: { invocation: string | undefined; traceId?: string | undefined; status?: number }[] = [];
  const server = createServer((incoming: IncomingMessage, answer) => {
    const port = ports[requests.length % ports.length];
    const invocation = incoming.headers['amz-sdk-invocation-id'];
    const entry: (typeof requests)[number] = { invocation: typeof invocation === 'string' ? invocation : undefined };
    requests.push(entry);
    server.emit('arrived');
    const { method, url, rawHeaders } = incoming;
    // With the Host that the caller has signed.
    const outgoing = request({ host: '127.0.0.1', port, method, path: url, headers: rawHeaders, agent: false });
    outgoing.on('response', (response) => {
      entry.status = response.statusCode ?? 0;
      entry.traceId = response.headers['x-amzn-requestid'] as string | undefined;
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    outgoing.on('error', () => {
      entry.status = 502;
      answer.writeHead(502).end();
    });
    incoming.pipe(outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async arrived(count) {
      while (requests.length < count) await once(server, 'arrived');
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
