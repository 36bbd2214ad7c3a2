import type { Authentication, Authenticator, Credentials as Claim } from './authenticator.js';
import type { Credentials } from './credentials.js';
import type { Identity } from './identity.js';
import { secretEquals } from './secret-equals.js';

export interface MqttAuthenticatorOptions {
  /** The credentials in force; asked once a client. */
  readonly credentials: () => Pick<Credentials, 'hasUser' | 'isPassword'>;
  /** The service's own user on the broker. Without a password nobody is let in under its name. */
  readonly service: { readonly username: string; readonly password?: string };
}

/**
 * Says who an MQTT client is: by the broker's own authentication where it accepted the client, by username and password
 * of the credentials file, or by the client certificate that the broker verified. A username that is not verified is
 * refused even beside a valid certificate, because later calls could not tell it from a verified one.
 */
export class MqttAuthenticator implements Authenticator {
  constructor(private readonly options: MqttAuthenticatorOptions) {}

  authenticate(claim: Claim): Promise<Authentication> {
    return Promise.resolve(this.#judge(claim));
  }

  #judge(claim: Claim): Authentication {
    const { username, certificate, acceptedByBroker } = claim;
    const { service } = this.options;
    // Its rights on the broker are not those of a policy, so not even the broker's word is enough.
    if (username === service.username) return this.#judgeService(claim, service.password);
    if (acceptedByBroker) return accept(claim);
    if (username !== undefined) return this.#judgePassword(claim, username);
    if (certificate !== undefined) return accept(claim);
    return refuse('MISSING_CREDENTIALS', 'Neither a username nor a verified client certificate.');
  }

  #judgeService(claim: Claim, password: string | undefined): Authentication {
    if (password === undefined) return refuse('INVALID_CREDENTIALS', 'No password of the service user is configured.');
    return secretEquals(password, claim.password ?? '')
      ? accept(claim)
      : refuse('INVALID_CREDENTIALS', 'Wrong password of the service user.');
  }

  #judgePassword(claim: Claim, username: string): Authentication {
    const credentials = this.options.credentials();
    if (credentials.isPassword(username, Buffer.from(claim.password ?? ''))) return accept(claim);
    return refuse('INVALID_CREDENTIALS', credentials.hasUser(username) ? 'Wrong password.' : 'Unknown username.');
  }
}

function accept({ clientId, username, certificate, sourceIp, sourcePort }: Claim): Authentication {
  const identity: Identity = {
    protocol: 'MQTT',
    clientId,
    ...(username === undefined ? {} : { username }),
    ...(certificate === undefined ? {} : { certificate, secureTransport: true }),
    ...(sourceIp === undefined ? {} : { sourceIp }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
  };
  return { ok: true, identity };
}

function refuse(reason: 'MISSING_CREDENTIALS' | 'INVALID_CREDENTIALS', details: string): Authentication {
  return { ok: false, reason, details };
}
