// Runs the service with the embedded broker in this process, and sends to a device: node examples/embed.mjs
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import { DirectClient, loadConfig, startService } from 'tightbeam';

const root = fileURLToPath(new URL('..', import.meta.url));
const anyPort = { port: 0 };
const config = loadConfig(
  undefined,
  {},
  {
    policies: `${root}/policies`,
    credentials: `${root}/dev/credentials.json`,
    broker: { password: 'of this process alone' },
    http: anyPort,
    exhook: anyPort,
    embedded: anyPort,
    telemetry: anyPort,
  },
);
const service = await startService(config, {
  broker: 'embedded',
  logDestination: { write: () => undefined, dropped: 0, close: () => Promise.resolve() },
});

const login = { clientId: 'lock-17', username: 'lock-17', password: 'lock-17' };
const device = await mqtt.connectAsync(`mqtt://127.0.0.1:${service.ports.mqtt}`, login);
device.on('message', (topic, payload) => console.log(`lock-17 received ${payload} on ${topic}`));

const client = new DirectClient({
  endpoint: `http://127.0.0.1:${service.ports.http}`,
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
});
const { status, body } = await client.send({ clientId: 'lock-17', topic: 'cmd/open', payload: 'now' });
console.log(status, body.message);

await device.endAsync();
await service.stop();
