/**
 * Port to the access keys of callers, as read from the credentials file.
 *
 * Answers at once from memory and never throws. Keys may change between calls: a rotation needs no restart.
 */
export interface AccessKeys {
  /**
   * The secrets that are valid for an access key now: none for an unknown key, two while a rotation is under way (old
   * and new valid together).
   *
   * `sessionToken` is the `X-Amz-Security-Token` that the caller presented, if any. Secrets that were issued with a
   * session token are valid only with exactly that token, and secrets issued without one only where none is presented.
   */
  secretsOf(accessKeyId: string, sessionToken?: string): readonly string[];
}
