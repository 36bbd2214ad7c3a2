import { IoTDataPlaneClient, SendDirectMessageCommand } from '@aws-sdk/client-iot-data-plane';
import { spawn, spawnSync } from 'node:child_process';
import { text } from 'node:stream/consumers';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Answered {
  readonly status?: number;
  readonly traceId?: string | undefined;
  /** This version of the client does not know the operation. */
  readonly missing?: true;
}

const REGION = 'us-east-1';
const PYTHON = process.env['TIGHTBEAM_TEST_PYTHON'] ?? 'python3';
const hasBotocore = spawnSync(PYTHON, ['-c', 'import botocore']).status === 0;

/** AWS's own clients with each of their ways to retry: one call, with a timeout of a second. */
export const RETRYING: readonly (readonly [
  name: string,
  call: (endpoint: string, credentials: Credentials, clientId: string) => Promise<Answered>,
])[] = [
  ['the AWS SDK for JavaScript, standard', sdk('standard')],
  ['botocore, standard', botocore('standard')],
  ['the AWS SDK for JavaScript, adaptive', sdk('adaptive')],
  ['botocore, legacy', botocore('legacy')],
];

function sdk(retryMode: string) {
  return async (endpoint: string, credentials: Credentials, clientId: string): Promise<Answered> => {
    const client = new IoTDataPlaneClient({ endpoint, region: REGION, credentials, retryMode, maxAttempts: 4 });
    try {
      const { $metadata, traceId } = await client.send(
        new SendDirectMessageCommand({ clientId, topic: 'cmd/open', confirmation: true, timeout: 1 }),
      );
      return { status: $metadata.httpStatusCode ?? 0, traceId };
    } finally {
      client.destroy();
    }
  };
}

function botocore(mode: string) {
  return async (endpoint: string, credentials: Credentials, clientId: string): Promise<Answered> => {
    if (!hasBotocore) return { missing: true };
    const { accessKeyId, secretAccessKey } = credentials;
    const args = ['test/aws/botocore_retry.py', endpoint, REGION, accessKeyId, secretAccessKey, clientId, mode];
    const python = spawn(PYTHON, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    return JSON.parse(await text(python.stdout)) as Answered;
  };
}

/** Says what was not tried. */
export function skipped(name: string, { missing }: Answered): boolean {
  if (missing)
    process.stderr.write(`SKIPPED: ${name}: there is no botocore, or it does not know send_direct_message\n`);
  return missing === true;
}
