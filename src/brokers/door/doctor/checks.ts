import type { Config } from '../../../config/schema.js';
import { fail, ok, warn, type Finding } from '../../finding.js';
import type { BrokerFacts } from './ask.js';

/** Below it ordinary messages of one busy client wait for the broker more than for anything else. */
const SMALL_WINDOW = 20;
/** Nagle's algorithm waits for an acknowledgement that the other side delays by some 40 ms. */
const NAGLE_MS = 30;

export function identity({ broker: { urls, username } }: Config, { version }: BrokerFacts): Finding {
  return ok(`${version ?? 'a broker that does not tell its version'} takes ${username} at ${urls.join()}`);
}

export function anonymous({ door }: Config, { takesAnybody, isSocket }: BrokerFacts): Finding {
  if (!takesAnybody) return ok('the broker refuses who shows neither username nor certificate');
  const mend = 'Set `allow_anonymous false` and a `password_file` in mosquitto.conf.';
  if (door.authenticatedBy === 'broker') {
    return fail('the broker takes anybody, and door.authenticatedBy leaves to it who a client is', mend);
  }
  return isSocket
    ? ok('the broker takes anybody at its socket; the door decides who is let through')
    : warn('the broker takes anybody who reaches its port around the door', mend);
}

export function window({ receiveMaximum }: BrokerFacts): Finding {
  if (receiveMaximum >= SMALL_WINDOW) {
    return ok(`the broker takes ${receiveMaximum} messages of one client at a time; more wait in the door`);
  }
  return warn(
    `the broker takes ${receiveMaximum} messages of one client at a time; more wait in the door`,
    'Raise `max_inflight_messages` in mosquitto.conf.',
  );
}

export function pushes({ secondMessageMs, isSocket }: BrokerFacts): Finding {
  if (isSocket) return ok('a unix socket delays nothing');
  const mend = 'Set `set_tcp_nodelay true` in mosquitto.conf.';
  if (secondMessageMs === undefined) {
    return warn("not tried: the service's user may not publish and subscribe under tightbeam/doctor/", mend);
  }
  const what = `the second of two messages at once took ${secondMessageMs.toFixed(1)} ms`;
  return secondMessageMs < NAGLE_MS ? ok(what) : warn(`${what}: the broker waits before it sends`, mend);
}

export function persistence(): Finding {
  return warn(
    'not tried: over MQTT nobody sees whether the broker keeps sessions and messages over a restart',
    'Where they should outlive one, set `persistence true` and `persistence_location` in mosquitto.conf.',
  );
}
