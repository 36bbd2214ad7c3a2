import { statSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Config } from '../../../config/schema.js';
import { isLoopback } from '../../../loopback.js';
import { fail, ok, warn, type Finding } from '../../finding.js';
import { brokerAddress } from '../broker-address.js';
import { answers } from './ask.js';
import type { DoctorOptions } from './doctor.js';

/** Ports of MQTT, with TLS, and within WebSockets as Mosquitto's examples have them. */
const USUAL_PORTS = [1883, 8883, 9001];
const WRITABLE_BY_ALL = 0o002;

/** Where the door listens. */
export interface DoorAddress {
  readonly host: string;
  readonly port: number;
  /** An address of this machine at which it is reached. */
  readonly knockAt: string;
}

/** In clear text first. */
export function doorAddresses(door: Config['door']): DoorAddress[] {
  const addresses = [door, door.tls, door.webSocket, door.secureWebSocket].filter((one) => one !== undefined);
  return addresses.map(({ host, port }) => ({ host, port, knockAt: isEverywhere(host) ? '127.0.0.1' : host }));
}

/** Can the broker be reached around the door? Tried from this machine, at every address that it has. */
export async function around(
  { broker, door }: Config,
  { timeoutMs = 1_000, ownAddresses = addressesOfMachine(), usualPorts = USUAL_PORTS }: DoctorOptions,
): Promise<Finding[]> {
  const address = brokerAddress(broker.urls[0] as string, {});
  const listening = doorAddresses(door);
  const isDoor = (host: string, port: number): boolean =>
    listening.some((one) => one.port === port && (isEverywhere(one.host) || one.host === host));
  const open = async (hosts: readonly string[], ports: readonly number[]): Promise<string[]> => {
    const found: string[] = [];
    for (const host of hosts)
      for (const port of new Set(ports))
        if (!isDoor(host, port) && (await answers(host, port, timeoutMs))) found.push(`${host}:${port}`);
    return found;
  };

  const findings: Finding[] = [];
  if (address.kind === 'unix') findings.push(ofSocket(address.path));
  else if (address.host === 'localhost' || isLoopback(address.host)) {
    const found = await open(ownAddresses, [address.port]);
    findings.push(
      found.length === 0
        ? ok(
            `port ${address.port} of the broker is open at none of this machine's addresses for others: ${list(ownAddresses)}`,
          )
        : fail(
            `the broker is reached around the door at ${list(found)}`,
            `Let it listen on the loopback address only (\`listener ${address.port} 127.0.0.1\`), or on a unix socket (\`listener 0 PATH\`).`,
          ),
    );
  } else {
    findings.push(
      warn(
        `not tried: who else reaches ${address.host}:${address.port} cannot be seen from here`,
        "Let the network take the door's connections there and nobody else's, or ask for client certificates (`require_certificate true`).",
      ),
    );
  }
  const here = address.kind === 'unix' ? ['127.0.0.1', ...ownAddresses] : ownAddresses;
  const others = await open(
    here,
    usualPorts.filter((port) => address.kind === 'unix' || port !== address.port),
  );
  if (others.length > 0) {
    findings.push(
      warn(
        `something that is not the door listens at ${list(others)}`,
        'Where that is a listener of the broker behind the door, take it out of mosquitto.conf.',
      ),
    );
  }
  return findings;
}

function ofSocket(path: string): Finding {
  let mode: number;
  try {
    ({ mode } = statSync(path));
  } catch (error) {
    return fail(`${path}: ${(error as Error).message}`, 'Start the broker with `listener 0 PATH`.');
  }
  // Whoever may write to a socket may connect (unix(7)).
  if ((mode & WRITABLE_BY_ALL) === 0) return ok(`only its owner and group can open ${path}`);
  return fail(`every process of this machine can open ${path} around the door`, `chmod o-w ${path}`);
}

function addressesOfMachine(): string[] {
  return (
    Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      // A link-local address counts on its link only, and would need its name.
      .filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0)
      .map(({ address }) => address)
  );
}

function isEverywhere(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function list(words: readonly string[]): string {
  return words.length === 0 ? '(it has none)' : words.join(', ');
}
