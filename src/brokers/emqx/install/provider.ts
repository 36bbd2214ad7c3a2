import type { ExHookServer } from '../api.js';
import type { ProbeResult } from '../../link/probe.js';
import { type EmqxState, NAME } from './state.js';

/** What becomes of EMQX's questions, as far as EMQX, the address and a client's attempt to connect tell. */
export interface Provider {
  /** `silent`: EMQX asks the service and gets no answer. */
  readonly kind: 'asked' | 'silent' | 'disabled' | 'absent';
  /** Of `silent`: what is in the way, one line a node where they differ. */
  readonly why?: readonly string[];
  /** Of `asked`: something good to know. */
  readonly aside?: string;
  /** Whether a client got in; undefined where nobody could try. */
  readonly admits?: boolean | undefined;
}

/**
 * Removes hooks of which no server is, on one node, in every EMQX from 5.9 on. There is no way to it over the API. The
 * counters go too, so that hooks of a later registration are removed with it. (Read in 5.9.0 to 6.3,
 * apps/emqx_exhook/src/emqx_exhook_server.erl.)
 */
export const RELEASE_HOOKS =
  "emqx eval \"emqx_hooks:del('client.authenticate', {emqx_exhook_handler, on_client_authenticate}), " +
  "emqx_hooks:del('client.authorize', {emqx_exhook_handler, on_client_authorize}), " +
  'ets:delete_all_objects(emqx_exhook_ref_counter)."';

/**
 * EMQX up to 5.8 says `connected` of a service that has died, so its word counts only with a client that gets in, or an
 * address that answers.
 *
 * @param dialled why the registered address does not answer this machine; undefined where it does, or was not called.
 */
export function providerOf(state: EmqxState, probes: readonly ProbeResult[], dialled: string | undefined): Provider {
  const server = state.exHooks.find(({ name }) => name === NAME);
  const admits = admission(probes);
  if (server === undefined) return { kind: 'absent', admits };
  if (!server.enable) return { kind: 'disabled', admits };
  const unreached = server.node_status.filter(({ status }) => status !== 'connected');
  const because = dialled === undefined ? '' : `: ${dialled}`;
  if (unreached.length > 0) {
    const why = unreached.map(
      ({ node, status }) => `${node} does not reach the service at ${server.url} (${status})${because}`,
    );
    return { kind: 'silent', why, admits };
  }
  if (dialled === undefined) return { kind: 'asked', admits };
  if (admits === true)
    return { kind: 'asked', admits, aside: ` (this machine does not reach ${server.url}${because})` };
  return { kind: 'silent', why: [`the service at ${server.url} does not answer${because}`], admits };
}

/** Whether a client gets in; undefined where no broker could be asked. */
export function admission(probes: readonly ProbeResult[]): boolean | undefined {
  if (probes.some((result) => result.kind === 'notConnected' && result.isRefused)) return false;
  return probes.some(({ kind }) => kind !== 'notConnected') ? true : undefined;
}

/** True where EMQX refuses clients, and neither a service, nor the guard, nor an authenticator of EMQX can be the reason. */
export function hasLeftHooks(state: EmqxState, { kind, admits }: Provider): boolean {
  const isAsked = (server: ExHookServer) => server.enable && server.hooks.length > 0;
  const guard = state.plugins.length === 0 ? 'off' : (state.pluginConfig?.['guard'] ?? 'auto');
  return (
    admits === false &&
    (kind === 'absent' ? guard !== 'deny' : kind === 'disabled' && guard === 'off') &&
    !state.exHooks.some(isAsked) &&
    !state.authenticators.some(({ enable }) => enable)
  );
}
