import { MqttPublisher } from '../../src/brokers/link/publisher.js';
import { startBroker, type Running } from '../brokers/embedded/harness.js';
import { startServer, type TestServer } from '../http/support.js';

/** The data plane in front of an embedded broker, all real but for the policies and the direct delivery. */
export interface Stack {
  readonly broker: Running;
  readonly server: TestServer;
  readonly endpoint: string;
  stop(): Promise<void>;
}

export async function startStack(): Promise<Stack> {
  const broker = await startBroker();
  const publisher = new MqttPublisher({ urls: [`mqtt://127.0.0.1:${broker.port}`], username: 'tightbeam' });
  const server = await startServer({ behind: { broker: broker.broker.operations, publisher } });
  await publisher.whenReady();
  return {
    broker,
    server,
    endpoint: `http://127.0.0.1:${server.port}`,
    async stop() {
      await server.dataPlane.stop();
      await publisher.close();
      await broker.stop();
    },
  };
}
