import type { Identity } from '../../identity/identity.js';
import type { AddressRange } from '../conditions/ip-address.js';
import { matchTokens, overlap, type PlainToken, type Token } from '../matching/pattern.js';
import type { Principal } from './principals.js';
import type { Reporter } from '../reading/problems.js';
import type { Criterion } from './thing.js';
import { TRUE } from '../matching/tri.js';

/** What a client that proved nothing is matched by: an ID that it claims, and the address that the broker saw. */
export const ANONYMOUS_CRITERIA = ['clientId', 'sourceIp'] as const;

/** One way to be an anonymous principal: all that is given must match. */
export interface AnonymousClause {
  readonly principal: Principal;
  readonly tokens: ReadonlyMap<Criterion, readonly Token[]>;
  readonly source: AddressRange | undefined;
  /** Of client ID and source: absent 0, else the more the more specific. */
  readonly rank: readonly [clientId: number, source: number];
  readonly at: Reporter;
}

/** Who stands for clients that proved nothing: nobody, unless principals say `anonymous: true`. Immutable. */
export class AnonymousPrincipals {
  /** The most specific first. */
  readonly clauses: readonly AnonymousClause[];

  constructor(clauses: readonly AnonymousClause[]) {
    this.clauses = clauses.toSorted(({ rank: one }, { rank: other }) => other[0] - one[0] || other[1] - one[1]);
  }

  resolve(identity: Identity): Principal | undefined {
    return this.clauses.find((clause) => isTrueOf(clause, identity))?.principal;
  }
}

function isTrueOf({ tokens, source }: AnonymousClause, { clientId, sourceIp }: Identity): boolean {
  const named = tokens.get('clientId');
  if (named !== undefined && (clientId === undefined || !matchTokens(named as readonly PlainToken[], clientId))) {
    return false;
  }
  return source === undefined || (sourceIp !== undefined && source.holds(sourceIp) === TRUE);
}

/** Whether nothing of who the identity is was verified, so that only an anonymous principal can stand for it. */
export function isUnverified({ username, certificate, accessKeyId, jwtSubject }: Identity): boolean {
  return username === undefined && certificate === undefined && accessKeyId === undefined && jwtSubject === undefined;
}

/** Two equally specific matches of different principals that can both be true of one client. */
export function reportAnonymousAmbiguities(clauses: readonly AnonymousClause[]): void {
  clauses.forEach((one, index) => {
    for (const other of clauses.slice(index + 1)) {
      if (other.principal === one.principal || !areEquallyTrue(one, other)) continue;
      other.at.error(
        `ambiguous: a client can match this and, just as specifically, ${one.at.path} of ${one.principal.name}`,
      );
    }
  });
}

function areEquallyTrue(one: AnonymousClause, other: AnonymousClause): boolean {
  if (one.rank[0] !== other.rank[0] || one.rank[1] !== other.rank[1]) return false;
  const sources =
    one.source === undefined || other.source === undefined || one.source.holds(other.source.network) === TRUE;
  return sources && overlap(one.tokens.get('clientId') ?? ANY, other.tokens.get('clientId') ?? ANY);
}

const ANY: readonly Token[] = [];
