import { Option, type Command } from 'commander';
import { readFileSync } from 'node:fs';

/** Where a running service answers commands, and what it is shown. */
export interface ServiceAddress {
  readonly url: string;
  readonly token?: string;
}

/** Adds `--url` and `--token`, for commands that ask a running service. */
export function addServiceAddress(command: Command): Command {
  return command
    .addOption(
      new Option('--url <url>', 'where the service serves its metrics (telemetry.port)')
        .env('TIGHTBEAM_TAIL_URL')
        .default('http://127.0.0.1:9464'),
    )
    .addOption(
      new Option(
        '--token <token>',
        'bearer token, where the service asks for one; else that in the file TIGHTBEAM_TAIL_TOKEN_FILE',
      ).env('TIGHTBEAM_TAIL_TOKEN'),
    );
}

/** The token of the file, where none is given: in the container of the service its environment says where it is. */
export function tokenOf({ token = '' }: ServiceAddress, env: NodeJS.ProcessEnv): Pick<ServiceAddress, 'token'> {
  const file = env['TIGHTBEAM_TAIL_TOKEN_FILE'] ?? '';
  return token === '' && file !== '' ? { token: readFileSync(file, 'utf8').trim() } : {};
}

/**
 * What a running service answers to a question that its metrics port takes.
 *
 * @throws Error where none answers, or it refuses.
 */
export async function askService(path: string, service: ServiceAddress): Promise<unknown> {
  const { token } = { ...service, ...tokenOf(service, process.env) };
  const asked = new URL(path, service.url);
  let response: Response;
  try {
    response = await fetch(asked, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    throw new Error(
      `no service answers at ${asked.origin}: ${cause instanceof Error ? cause.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
  if (!response.ok) throw new Error(`${asked.origin} answers ${response.status}: ${(await response.text()).trim()}`);
  return response.json();
}
