import type { Authentication, Authenticator, PresentedCredentials } from './authenticator.js';
import type { Credentials } from './credentials.js';
import type { Identity } from './identity.js';
import { secretEquals } from './secret-equals.js';

export interface MqttAuthenticatorOptions {
  /** The credentials in force; asked once a client. */
  readonly credentials: () => Pick<Credentials, 'hasUser' | 'isPassword'>;
  /** Whether an anonymous principal stands for a client that proves nothing; without it, none does. */
  readonly admitsAnonymous?: (identity: Identity) => boolean;
  /** The service's own user on the broker. Without a password nobody is let in under its name. */
  readonly service: { readonly username: string; readonly password?: string };
}

/**
 * Says who an MQTT client is: by username and password of the credentials file, or by the client certificate that the
 * broker verified. Who claims neither is nobody, and admitted where an anonymous principal stands for it. A broker's own
 * word that it accepts the client counts for nothing: EMQX 5.9 and later give it for
 * everybody where they have no authenticator.
 *
 * A username that is not verified is refused even beside a valid certificate, because later calls could not tell it from
 * a verified one. So EMQX's `mqtt.peer_cert_as_username` must stay disabled: a name that the broker took from the
 * certificate cannot be told from one that the client wrote.
 */
export class MqttAuthenticator implements Authenticator {
  constructor(private readonly options: MqttAuthenticatorOptions) {}

  authenticate(claim: PresentedCredentials): Promise<Authentication> {
    return Promise.resolve(this.#judge(claim));
  }

  #judge(claim: PresentedCredentials): Authentication {
    const { username, certificate, certificateFault } = claim;
    const { service } = this.options;
    if (username === service.username) return this.#judgeService(claim, service.password);
    if (username !== undefined) return this.#judgePassword(claim, username);
    if (certificate !== undefined) return accept(claim);
    if (certificateFault !== undefined) return refuse('MISSING_CREDENTIALS', `${NOTHING} ${certificateFault}`);
    if (claim.password !== undefined) return refuse('INVALID_CREDENTIALS', 'A password without a username.');
    const nobody = accept(claim);
    return this.options.admitsAnonymous?.(nobody.identity) === true
      ? nobody
      : refuse('MISSING_CREDENTIALS', `${NOTHING} No anonymous principal stands for the client.`);
  }

  #judgeService(claim: PresentedCredentials, password: string | undefined): Authentication {
    if (password === undefined) return refuse('INVALID_CREDENTIALS', 'No password of the service user is configured.');
    return secretEquals(password, claim.password ?? '')
      ? accept(claim)
      : refuse('INVALID_CREDENTIALS', 'Wrong password of the service user.');
  }

  #judgePassword(claim: PresentedCredentials, username: string): Authentication {
    const credentials = this.options.credentials();
    if (credentials.isPassword(username, Buffer.from(claim.password ?? ''))) return accept(claim);
    return refuse('INVALID_CREDENTIALS', credentials.hasUser(username) ? 'Wrong password.' : unknownUsername(claim));
  }
}

const NOTHING = 'Neither a username nor a verified client certificate.';

function accept(claim: PresentedCredentials): Extract<Authentication, { readonly ok: true }> {
  const { clientId, username, certificate, sourceIp, sourcePort } = claim;
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

function unknownUsername({ username, certificate }: PresentedCredentials): string {
  const isOfCertificate = username === certificate?.commonName || username === certificate?.distinguishedName;
  return isOfCertificate
    ? 'Unknown username. It is the name in the client certificate: is mqtt.peer_cert_as_username of the broker disabled?'
    : 'Unknown username.';
}

function refuse(reason: 'MISSING_CREDENTIALS' | 'INVALID_CREDENTIALS', details: string): Authentication {
  return { ok: false, reason, details };
}
