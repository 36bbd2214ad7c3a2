// Sends one message, says what became of it: node examples/send.mjs lock-17 cmd/open now
import { DirectClient } from 'tightbeam';

const [clientId = 'lock-17', topic = 'cmd/open', payload = 'now'] = process.argv.slice(2);
const client = new DirectClient({
  endpoint: process.env.TIGHTBEAM_URL ?? 'http://127.0.0.1:8080',
  accessKeyId: process.env.AWS_ACCESS_KEY_ID ?? 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY ?? 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
});

const { status, body } = await client.send({ clientId, topic, payload });
console.log(status, body.reason ?? 'OK', body.message);
