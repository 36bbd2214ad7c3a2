import type { RequestContext } from './context.js';
import type { Tri } from '../matching/tri.js';

/** Compares one value of the request with one value of the policy. UNKNOWN where the comparison cannot be made. */
export type Matcher = (actual: string, context: RequestContext) => Tri;

/** A condition operator in its positive form (IAM, "Condition operators"). */
export interface Operator {
  /**
   * Compiles a value of the policy; `variables` says whether the version of the policy has them.
   * @throws PatternError with what was expected, where the value is not of the operator's type.
   */
  compile(value: string, variables: boolean): Matcher;
}
