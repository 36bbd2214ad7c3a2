import type { Command } from 'commander';
import type { StatusReport } from '../observing/status.js';
import type { CertificateStatus } from '../tls/expiry.js';
import { addServiceAddress, askService, type ServiceAddress } from './service-address.js';

interface StatusOptions extends ServiceAddress {
  readonly json?: true;
}

/** What `GET /status` answers. */
export interface Status extends StatusReport {
  readonly service: { readonly version: string; readonly broker: string; readonly ready: boolean };
  readonly shadow: boolean;
  readonly credentials: { readonly accessKeys: number; readonly mqttUsers: number };
  readonly certificates: readonly CertificateStatus[];
}

/** `tightbeam status`: how a running service is. */
export function statusCommand(command: Command): void {
  addServiceAddress(command)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
It asks one replica, over its metrics port. Callers of the API ask GET /tightbeam/v1/status, which policies must allow
(tightbeam:ViewStatus on *). Exit codes:
  0  messages can be delivered
  1  no service answers, or it refuses to
  2  the service runs, and cannot deliver messages`,
    )
    .action(async ({ json, ...service }: StatusOptions, command: Command) => {
      try {
        const status = (await askService('/status', service)) as Status;
        process.stdout.write(json === true ? `${JSON.stringify(status)}\n` : describeStatus(status));
        process.exitCode = status.service.ready ? 0 : 2;
      } catch (error) {
        command.error(`error: ${(error as Error).message}`);
      }
    });
}

/** For people. Ends with a newline. */
export function describeStatus(status: Status): string {
  const { service, startedAt, shadow, policies, connections, credentials, certificates, outcomes } = status;
  const rows: [string, string][] = [
    ['service', `${service.ready ? 'ready' : 'NOT READY'}, version ${service.version}, since ${moment(startedAt)}`],
    ['broker', service.broker],
  ];
  for (const { state, broker, clientId, since, lastError } of connections) {
    rows.push(['', `${state} since ${moment(since)}  ${broker}  as ${clientId}`]);
    if (lastError === undefined) continue;
    const { at, state: was, details } = lastError;
    rows.push([
      '',
      `  ${state === 'ready' ? 'last error' : 'error'} ${moment(at)}: ${was}${details === undefined ? '' : `, ${details}`}`,
    ]);
  }
  if (policies === undefined) rows.push(['policies', 'none were loaded']);
  else {
    const { version = 'unknown', since, policies: count, principals, lastReload } = policies;
    const sizes = count === undefined ? '' : `, ${count} policies, ${principals ?? 0} principals`;
    rows.push(['policies', `version ${version}${since === undefined ? '' : `, since ${moment(since)}`}${sizes}`]);
    if (lastReload.outcome === 'refused') {
      rows.push(['', `LAST RELOAD REFUSED ${moment(lastReload.at)}: ${lastReload.details ?? ''}`]);
    }
  }
  rows.push(['decisions', shadow ? 'IN SHADOW for some or all: what policies deny goes on' : 'enforced']);
  rows.push(['credentials', `${credentials.accessKeys} access keys, ${credentials.mqttUsers} MQTT users`]);
  certificates.forEach(({ setting, subject, expires, daysLeft, error }, index) => {
    const told =
      error ??
      `${subject ?? ''}, ${daysLeft !== undefined && daysLeft < 0 ? 'EXPIRED' : 'expires'} ${moment(expires ?? '')} (${daysLeft ?? '?'} days)`;
    rows.push([index === 0 ? 'certificates' : '', `${setting}: ${told}`]);
  });
  const { counts, seconds } = outcomes;
  rows.push(['outcomes', counts.length === 0 ? `none in the last ${seconds} s` : `of the last ${seconds} s`]);
  for (const { eventType, reason, count } of counts) {
    rows.push(['', `${String(count).padStart(9)}  ${eventType}  ${reason}`]);
  }
  return rows.map(([title, text]) => `${title.padEnd(13)}${text}`.trimEnd() + '\n').join('');
}

function moment(text: string): string {
  return `${text.slice(0, 19)}Z`;
}
