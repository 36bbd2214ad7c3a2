import type { EmqxApi } from '../api.js';
import type { ExHookTls } from './exhook-tls.js';
import { type Audience, InstallError, joined, NOTHING, type Plan } from './plan.js';
import { type AuthorizationOptions, planAuthorization } from './plan-authorization.js';
import { planExHook, planRenewal } from './plan-exhook.js';
import { type PluginOptions, planPlugin } from './plan-plugin.js';
import { type EmqxState, nodesDown } from './state.js';

export interface InstallOptions extends AuthorizationOptions {
  /**
   * Where EMQX's nodes reach the service's hook provider: `http://HOST:PORT`, as EMQX writes a gRPC address. Absent: as
   * it is registered, and `http://127.0.0.1:9000` where nothing is.
   */
  readonly exHookUrl?: string;
  /** For a URL that is https. What is absent stays as it is registered. */
  readonly exHookTls?: ExHookTls;
  readonly plugin: PluginOptions;
  /** How long EMQX may take to reach the service, in milliseconds; default 12,000: two attempts, 5 s apart. */
  readonly reachWithinMs?: number;
}

/**
 * What an EMQX lacks to work with Tightbeam; nothing where it is installed already. Throws InstallError where the options
 * do not go together.
 *
 * The order keeps every state between safe: first the hooks (from then on the policies admit clients), then the plugin
 * (its guard denies what no provider answers, so the provider must be there), then the hooks again without what the plugin
 * tells, then EMQX's own authorization steps back.
 */
export function planInstall(state: EmqxState, options: InstallOptions): Plan {
  const reachWithinMs = options.reachWithinMs ?? 12_000;
  const plugin = planPlugin(state, options.plugin);
  return joined(
    planExHook(state, options.exHookUrl, options.exHookTls ?? {}, reachWithinMs),
    plugin,
    planRenewal(state, plugin.steps.length > 0, reachWithinMs),
    planAuthorization(state, options),
    notesOnNodesDown(state),
  );
}

function notesOnNodesDown(state: EmqxState): Plan {
  const notes = nodesDown(state.nodes).map(
    (node) =>
      `The node ${node} is down. When it starts, it takes settings and plugin from the nodes that run; see with ` +
      '`tightbeam emqx doctor` whether it has.',
  );
  return { ...NOTHING, notes };
}

/** What became of a plan. */
export interface PlanResult {
  readonly changed: readonly string[];
  /** What is still to do by hand; nothing where the work is finished. */
  readonly left: readonly string[];
}

const NOBODY: Audience = { say: () => undefined, signal: new AbortController().signal };

/**
 * Carries a plan out, step by step.
 *
 * @param onStep is told of each step just before it happens.
 * @throws EmqxApiError, InstallError of the first step that fails, or before which the audience's signal came; the steps
 * before it stay.
 */
export async function carryOut(
  api: EmqxApi,
  plan: Plan,
  onStep: (what: string) => void = () => {},
  audience: Audience = NOBODY,
): Promise<PlanResult> {
  const left: string[] = [];
  for (const step of plan.steps) {
    if (audience.signal.aborted) {
      throw new InstallError(`Stopped before: ${step.what}. Run it again to go on from there.`);
    }
    onStep(step.what);
    const leftOver = await step.apply(api, audience);
    if (leftOver !== undefined) left.push(leftOver);
  }
  return { changed: plan.steps.map(({ what }) => what), left: [...left, ...plan.left] };
}

/**
 * The ExHook URL as EMQX takes it: `grpc://` and `grpcs://` are written `http://` and `https://`; port 9000 by default.
 *
 * @throws TypeError where it is no such URL.
 */
export function exHookUrl(text: string): string {
  const [, tls, host, port] = /^(?:grpc|http)(s?):\/\/(\[[0-9a-f:.]+\]|[^/:[\]]+)(?::(\d{1,5}))?\/?$/i.exec(text) ?? [];
  if (tls === undefined || host === undefined) throw new TypeError(`${text} is not of the form grpc://HOST:PORT`);
  return `http${tls.toLowerCase()}://${host}:${port ?? '9000'}`;
}
