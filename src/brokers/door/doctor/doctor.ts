import type { Config } from '../../../config/schema.js';
import { fail, ok, warn, type Diagnosis, type Finding } from '../../finding.js';
import { probe } from '../../link/probe.js';
import { around, doorAddresses } from './around.js';
import { askBroker, type BrokerFacts } from './ask.js';
import { anonymous, identity, persistence, pushes, window } from './checks.js';

export interface DoctorOptions {
  /** Time for connecting, and for each answer, in milliseconds. */
  readonly timeoutMs?: number;
  /** IP addresses of this machine that others reach. Default: what the system says. */
  readonly ownAddresses?: readonly string[];
  /** Ports where brokers usually listen, which are knocked at. */
  readonly usualPorts?: readonly number[];
}

const TIMEOUT_MS = 5_000;

/**
 * Examines the broker behind the door, and a door that runs. What is `ok` or `fail` was tried; what cannot be tried from
 * here is a warning that says so. Never rejects.
 */
export async function diagnoseDoor(config: Config, options: DoctorOptions = {}): Promise<readonly Diagnosis[]> {
  const { timeoutMs = TIMEOUT_MS } = options;
  if (config.broker.kind !== 'door') {
    return [{ check: 'kind', ...fail('broker.kind is not door', 'Examine EMQX with `tightbeam emqx doctor`.') }];
  }
  const asked = await askBroker(config.broker, timeoutMs).then(
    (facts) => ({ facts }),
    (error: unknown) => ({ error: error as Error }),
  );
  const diagnoses: Diagnosis[] = [];
  const add = (check: string, ...findings: readonly Finding[]): void => {
    diagnoses.push(...findings.map((finding) => ({ check, ...finding })));
  };
  if ('error' in asked) add('broker', unreachable(config, asked.error));
  else for (const [check, findings] of Object.entries(examined(config, asked.facts))) add(check, ...findings);
  add('around', ...(await around(config, { timeoutMs, ...options })));
  add('door', await throughDoor(config, timeoutMs));
  return diagnoses;
}

function examined(config: Config, facts: BrokerFacts): Readonly<Record<string, readonly Finding[]>> {
  return {
    broker: [identity(config, facts)],
    anonymous: [anonymous(config, facts)],
    window: [window(facts)],
    nodelay: [pushes(facts)],
    persistence: [persistence()],
  };
}

function unreachable({ broker: { urls, username } }: Config, { message }: Error): Finding {
  return fail(
    `the broker at ${urls.join()} does not take the service's user ${username}: ${message}`,
    'Start the broker, and make the user of broker.username and broker.password one of its users.',
  );
}

/** A direct message of the service's user to itself, through a door that runs. */
async function throughDoor(config: Config, timeoutMs: number): Promise<Finding> {
  const { username, password } = config.broker;
  const [address] = doorAddresses(config.door);
  if (address === undefined) return warn('the door has no address', 'Set door.host.');
  const url = `mqtt://${address.knockAt}:${address.port}`;
  const result = await probe({ url, username, password }, timeoutMs);
  switch (result.kind) {
    case 'arrived':
      return ok(`a direct message to itself at ${url} was confirmed, in ${result.milliseconds.toFixed(1)} ms`);
    case 'notConnected':
      return fail(`nobody could connect to the door at ${url}: ${result.why}`, 'Start `tightbeam serve`.');
    case 'answered':
      return fail(
        `the direct message was answered 0x${result.reasonCode.toString(16)} at ${url}`,
        'Something else listens there, or the door is older than this command.',
      );
    case 'silent':
      return fail(`the direct message to ${url} was not answered`, 'Something else than the door listens there.');
  }
}
