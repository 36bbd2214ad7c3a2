import { isObject, readJson, type Json, type NameOf } from './json.js';
import type { Reporter } from './problems.js';

/**
 * The document in what the command line of AWS prints: that of `aws iot get-policy` and `get-policy-version` as a text, that
 * of `aws iam get-policy-version` as an object. Anything else is a document itself.
 */
export function documentIn(
  whole: Json,
  report: Reporter,
  nameOf: NameOf,
): { readonly root: Json | undefined; readonly at: Reporter } {
  if (!isObject(whole)) return { root: whole, at: report };
  const { policyDocument, PolicyVersion: version } = whole;
  if (typeof policyDocument === 'string') {
    const at = report.at('policyDocument');
    return { root: readJson(policyDocument, at, nameOf), at };
  }
  const document = isObject(version) ? version['Document'] : undefined;
  return document === undefined
    ? { root: whole, at: report }
    : { root: document, at: report.at('PolicyVersion').at('Document') };
}
