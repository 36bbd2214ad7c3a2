import type { Identity } from '../identity/identity.js';
import type { ConnectFacts } from './conditions/context.js';

/** The actions that Tightbeam decides: those of AWS IoT Core, and its own, which disclose what goes on in it. */
export type Action =
  | 'iot:Connect'
  | 'iot:Publish'
  | 'iot:RetainPublish'
  | 'iot:Subscribe'
  | 'iot:Receive'
  | 'iot:SendDirectMessage'
  | 'iot:GetConnection'
  | 'iot:DeleteConnection'
  | 'iot:ListSubscriptions'
  | 'iot:GetRetainedMessage'
  | 'iot:ListRetainedMessages'
  | 'tightbeam:DescribeDevice'
  | 'tightbeam:ListDevices'
  | 'tightbeam:ExplainPolicy'
  | 'tightbeam:ViewEvents'
  | 'tightbeam:ViewStatus';

/** A decision is effect + determining statement + errors; no log line has to guess. */
export interface Decision {
  readonly effect: 'allow' | 'deny';
  /**
   * Why: a matching Allow, a matching Deny, nothing matched, no principal stands for the identity, or evaluation
   * failed (which denies: fail closed).
   */
  readonly cause: 'explicitAllow' | 'explicitDeny' | 'implicitDeny' | 'noPrincipal' | 'error';
  readonly action: Action;
  /** The resource as asked for: an ARN. */
  readonly resource: string;
  /** Name of the principal in principals.json. Absent where none stands for the identity. */
  readonly principalId?: string;
  /** Name of the determining policy. Absent for implicit denies. */
  readonly policy?: string;
  /** Sid of the determining statement, or its index in the policy as text. */
  readonly statement?: string;
  /** Version of the policy set that decided. */
  readonly policyVersion?: string;
  /** What went wrong while evaluating; empty where nothing did. */
  readonly errors: readonly string[];
}

/**
 * What the transports ask. Every method answers at once from memory, never throws, and denies when in doubt.
 * Topics and filters are UTF-8 text as on the wire; `$share/{group}/` has been removed from filters by the engine.
 */
export interface Authorizer {
  /** `iot:Connect` on `client/{clientId}`; `facts` are what policies may ask about the CONNECT beyond the identity. */
  connect(identity: Identity, facts?: ConnectFacts): Decision;
  /** `iot:Publish` on `topic/{topic}`, and `iot:RetainPublish` too where `retain` is set. */
  publish(identity: Identity, topic: string, options?: { readonly retain?: boolean }): Decision;
  /** `iot:Subscribe` on `topicfilter/{filter}`, and `iot:Receive` on what the filter can match. */
  subscribe(identity: Identity, filter: string): Decision;
  /** `iot:SendDirectMessage` on `client/{targetClientId}`, with the condition key `iot:Topic`. */
  sendDirectMessage(identity: Identity, targetClientId: string, topic: string): Decision;
  /** `iot:Receive` on `topic/{topic}` for the device that would receive. */
  receiveDirectMessage(identity: Identity, topic: string): Decision;
  /** Any other action on a resource given without its ARN prefix, for instance `client/lock-17`. */
  decide(identity: Identity, action: Action, resource: string): Decision;
}
