import type { Plugin } from '../api.js';
import { fail, type Finding, INSTALL, list, MEND_EXHOOK, unless, warn } from './finding.js';
import type { Provider } from './provider.js';
import { type EmqxState, NAME, nameVersion, nodesWithout } from './state.js';

/** The limits that the service and the plugin each hold a message against. */
export interface Limits {
  readonly payloadBytes: number;
  readonly clientIdCharacters: number;
  readonly topicBytes: number;
  readonly topicSlashes: number;
}

export function plugin(state: EmqxState, version: string, limits?: Limits): readonly Finding[] {
  const [installed] = state.plugins;
  if (installed === undefined) {
    return [
      fail(
        'the plugin is not installed: direct messages cannot be delivered, and no guard is up',
        `Run \`tightbeam emqx install --plugin ${NAME}-${version}.tar.gz\`.`,
      ),
    ];
  }
  const without = nodesWithout(installed, state.nodes);
  return unless(
    [
      ...(without.length > 0
        ? [
            fail(
              `${nameVersion(installed)} does not run on ${list(without)}`,
              `${INSTALL} EMQX's log says why it stopped.`,
            ),
          ]
        : []),
      ...(state.plugins.length > 1
        ? [
            fail(
              `several versions: ${list(state.plugins.map((each) => `${nameVersion(each)} on ${list(nodesOf(each))}`))}`,
              'On these nodes, run `emqx ctl plugins` with stop, disable and uninstall of all but one.',
            ),
          ]
        : []),
      ...(installed.rel_vsn === version
        ? []
        : [
            warn(
              `${nameVersion(installed)} with release ${version} of the service`,
              `Run \`tightbeam emqx install --plugin ${NAME}-${version}.tar.gz --upgrade\`.`,
            ),
          ]),
      ...(limits === undefined ? [] : tighter(state.pluginConfig ?? {}, limits)),
    ],
    `${nameVersion(installed)} runs on every node`,
  );
}

/** What the service takes and the plugin refuses: with 0x90, as it refuses a topic without a client. */
function tighter(config: Readonly<Record<string, unknown>>, limits: Limits): readonly Finding[] {
  const pairs = [
    ['max_payload_bytes', 131_072, 'limits.payloadBytes', limits.payloadBytes],
    ['max_client_id_length', 128, 'limits.clientIdCharacters', limits.clientIdCharacters],
    ['max_topic_bytes', 256, 'limits.topicBytes', limits.topicBytes],
    ['max_topic_slashes', 7, 'limits.topicSlashes', limits.topicSlashes],
  ] as const;
  return pairs.flatMap(([setting, byDefault, name, wanted]) => {
    const has = Number(config[setting] ?? byDefault);
    if (has >= wanted) return [];
    return [
      warn(
        `${setting} is ${has}, and ${name} of the service ${wanted}: what is between is told as not delivered`,
        `Set ${setting} = ${wanted} in the configuration of the plugin (dashboard, Plugins, ${NAME}), or lower ${name}.`,
      ),
    ];
  });
}

const nodesOf = ({ running_status }: Plugin) => running_status.map(({ node }) => node);

/** Configuration of the plugin as it comes; EMQX before 5.7 keeps none. */
const SHIPPED_CONFIG = {
  guard: 'auto',
  guard_authenticate: true,
  guard_authorize: true,
  exhook_server: NAME,
  service_username: 'tightbeam',
};

export function guard(state: EmqxState, username: string, provider: Provider): readonly Finding[] {
  const alarms = state.alarms.filter(({ name }) => name.startsWith(NAME));
  if (alarms.length > 0) {
    return alarms.map(({ name, message }) =>
      fail(
        `alarm ${name}: ${message ?? 'raised'}`,
        'The guard denies clients because the service does not answer: mend "exhook" first.',
      ),
    );
  }
  if (state.plugins.length === 0) return [fail('there is none without the plugin', INSTALL)];
  const config = { ...SHIPPED_CONFIG, ...state.pluginConfig };
  const set = (settings: readonly string[]) =>
    `Set ${list(settings)} in the configuration of the plugin (dashboard, Plugins, ${NAME}).`;
  const open = [
    ...(config.guard === 'off' ? ['guard = "auto"'] : []),
    ...(config.guard_authenticate ? [] : ['guard_authenticate = true']),
    ...(config.guard_authorize ? [] : ['guard_authorize = true']),
  ];
  const astray = [
    ...(config.exhook_server === NAME ? [] : [`exhook_server = "${NAME}"`]),
    ...(config.service_username === username ? [] : [`service_username = "${username}"`]),
  ];
  const isIdle = (provider.kind === 'absent' || provider.kind === 'disabled') && provider.admits !== false;
  return unless(
    [
      ...(isIdle && config.guard !== 'deny'
        ? [fail('open: it leaves alone an EMQX on which no ExHook server is enabled', MEND_EXHOOK)]
        : []),
      ...(open.length > 0
        ? [
            fail(
              'switched off: while the service does not answer, EMQX may admit clients that no policy has admitted',
              set(open),
            ),
          ]
        : []),
      ...(astray.length > 0
        ? [fail('the plugin looks for another ExHook server or service user than is installed', set(astray))]
        : []),
    ],
    (config.guard === 'deny' ? 'denies whatever no provider has decided' : 'on') +
      (provider.kind === 'asked' ? '' : ': it refuses clients until the service is asked again'),
  );
}
