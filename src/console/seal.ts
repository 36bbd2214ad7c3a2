import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
/** NIST SP 800-38D, section 8.2.2: 96 random bits, good for far more texts under one key than sessions are made. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals values, so that whoever carries them can neither read nor change them. Everybody with the same secret opens them:
 * all replicas that serve one console have one.
 */
export class Seal {
  readonly #key: Uint8Array;

  /** @param secret of any length; where there is none, one that lives as long as the process. */
  constructor(secret: string | undefined) {
    const material = secret === undefined ? randomBytes(32) : Buffer.from(secret);
    this.#key = new Uint8Array(hkdfSync('sha256', material, '', 'tightbeam console', 32));
  }

  /** @param purpose what it is for: it opens for nothing else */
  seal(purpose: string, value: unknown): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce).setAAD(Buffer.from(purpose));
    const sealed = [nonce, cipher.update(JSON.stringify(value), 'utf8'), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString('base64url');
  }

  /** Undefined where it was not sealed for this purpose by somebody with the secret. */
  open(purpose: string, text: string): unknown {
    const bytes = Buffer.from(text, 'base64url');
    if (bytes.byteLength < NONCE_BYTES + TAG_BYTES) return undefined;
    const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(purpose)).setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const opened = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
      return JSON.parse(opened.toString('utf8')) as unknown;
    } catch {
      return undefined;
    }
  }
}
