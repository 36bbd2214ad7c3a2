import { type Command, Option } from 'commander';
import type { Device } from '../operations/devices.js';
import { renderTailLine, type TailLine } from '../telemetry/tail/render.js';
import { credentialsOfEnvironment, describeFailure, EXIT_FAILURE, exitCodeOf } from './calling.js';
import { describeDevice } from './client.js';

interface DeviceOptions {
  readonly endpoint: string;
  readonly region: string;
  readonly json?: true;
}

/** `tightbeam device`: what is known of one device. */
export function deviceCommand(command: Command): void {
  command
    .argument('<client-id>', 'MQTT client ID')
    .addOption(
      new Option('--endpoint <url>', 'data-plane API: http(s)://HOST:PORT')
        .env('TIGHTBEAM_URL')
        .default('http://127.0.0.1:8080'),
    )
    .option('--region <name>', 'region of the signature', process.env['AWS_REGION'] ?? 'us-east-1')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Whether it is connected, since when, from where and as whom; its subscriptions, what is in flight and waits; what its
policies let it send and receive as direct messages; its last 20 events, of the replica that answers. Policies must allow
tightbeam:DescribeDevice on the client. Credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.`,
    )
    .action(async (clientId: string, options: DeviceOptions) => {
      try {
        const { status, text } = await describeDevice(
          { ...options, credentials: credentialsOfEnvironment() },
          clientId,
        );
        if (status !== 200 || options.json === true) process.stdout.write(`${text}\n`);
        else process.stdout.write(renderDevice(JSON.parse(text) as Device));
        process.exitCode = exitCodeOf(status);
      } catch (error) {
        process.stderr.write(`tightbeam device: ${describeFailure(error, options.endpoint)}\n`);
        process.exitCode = EXIT_FAILURE;
      }
    });
}

/** For people. Ends with a newline. */
export function renderDevice(device: Device): string {
  const { clientId, connection, disconnected, principal, subscriptions, untold, directMessages, events } = device;
  const rows: [string, string][] = [['device', `${clientId}, ${stateOf(device)}`]];
  if (principal !== undefined) rows.push(['principal', principal]);
  if (connection !== undefined) rows.push(['connection', connectionOf(connection)]);
  if (disconnected?.reason !== undefined) rows.push(['left', `${moment(disconnected.at)}: ${disconnected.reason}`]);
  const { inFlight, waiting } = connection ?? {};
  if (inFlight !== undefined || waiting !== undefined)
    rows.push(['messages', `${inFlight ?? 'unknown'} in flight, ${waiting ?? 'unknown'} waiting`]);
  for (const { topicFilter, qos } of subscriptions ?? []) rows.push(['subscription', `${topicFilter} (QoS ${qos})`]);
  if (untold !== undefined) rows.push(['untold', untold]);
  for (const [word, permissions] of [
    ['may', directMessages?.allowed],
    ['may not', directMessages?.denied],
  ] as const) {
    for (const { action, resource, exceptResource, conditions } of permissions ?? []) {
      const on = `${exceptResource ? 'all but ' : ''}${resource}`;
      rows.push([word, `${action} ${on}${conditions.length > 0 ? ` where ${conditions.join(' and ')}` : ''}`]);
    }
  }
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}${value}\n`);
  const told = events.map(({ at, ...record }) => {
    const line: TailLine = { timestamp: new Date(at).toISOString(), ...record };
    return `${renderTailLine(line, { colour: false })}\n`;
  });
  return [...lines, ...told].join('');
}

function stateOf({ connected, connection }: Device): string {
  if (connection === undefined) return 'not connected, and without a session';
  if (connected)
    return `connected${connection.connectedSince === undefined ? '' : ` since ${moment(connection.connectedSince)}`}`;
  const { disconnectedSince } = connection;
  return `not connected${disconnectedSince === undefined ? '' : ` since ${moment(disconnectedSince)}`}, with a session`;
}

function connectionOf({
  protocolVersion,
  username,
  keepAliveSeconds,
  sessionExpirySeconds,
  socket,
}: NonNullable<Device['connection']>): string {
  return [
    protocolVersion === undefined
      ? undefined
      : `MQTT ${{ 3: '3.1', 4: '3.1.1', 5: '5' }[protocolVersion] ?? protocolVersion}`,
    username === undefined ? undefined : `user ${username}`,
    socket?.sourceIp === undefined ? undefined : `from ${socket.sourceIp}:${socket.sourcePort ?? ''}`,
    keepAliveSeconds === undefined ? undefined : `keep alive ${keepAliveSeconds} s`,
    sessionExpirySeconds === undefined ? undefined : `session expiry ${sessionExpirySeconds} s`,
  ]
    .filter((part) => part !== undefined)
    .join(', ');
}

function moment(at: number): string {
  return new Date(at).toISOString();
}
