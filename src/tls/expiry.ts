import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from '../config/schema.js';

/** A certificate that the service shows, as its file has it. */
export interface CertificateStatus {
  /** The setting that names the file. */
  readonly setting: string;
  readonly subject?: string;
  /** RFC 3339. */
  readonly expires?: string;
  readonly daysLeft?: number;
  /** Why the file cannot be read as a certificate. */
  readonly error?: string;
}

const DAY_MS = 86_400_000;

/** @param now milliseconds since 1970 */
export function certificatesOf({ http, exhook, door }: Config, now: number): CertificateStatus[] {
  const files = {
    'http.tls.cert': http.tls?.cert,
    'exhook.tls.cert': exhook.tls?.cert,
    'door.tls.cert': door.tls?.cert,
  };
  return Object.entries(files).flatMap(([setting, file]) => (file === undefined ? [] : [statusOf(setting, file, now)]));
}

function statusOf(setting: string, file: string, now: number): CertificateStatus {
  try {
    const { subject, validTo } = new X509Certificate(readFileSync(file));
    const expires = Date.parse(validTo);
    return {
      setting,
      subject: subject.replaceAll('\n', ', '),
      expires: new Date(expires).toISOString(),
      daysLeft: Math.floor((expires - now) / DAY_MS),
    };
  } catch (error) {
    return { setting, error: (error as Error).message };
  }
}
