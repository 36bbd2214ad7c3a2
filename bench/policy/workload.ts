/**
 * One policy of a device in as many statements as asked for, and requests about it. The mix: literal resources, prefixes,
 * variables, conditions, denies, and several actions. All engines of the comparison can say these statements exactly.
 */
export const USER = 'device-1';
export const PREFIX = 'arn:aws:iot:us-east-1:123456789012:';

export type BenchAction = 'iot:Publish' | 'iot:Receive' | 'iot:Subscribe';

export interface BenchStatement {
  readonly Sid: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: BenchAction;
  readonly Resource: string;
  readonly Condition?: { readonly StringLike: { readonly 'aws:username': string } };
}

export interface BenchRequest {
  readonly action: BenchAction;
  /** Topic or topic filter. */
  readonly name: string;
  /** The whole ARN. */
  readonly arn: string;
}

export function statementsOf(size: number): BenchStatement[] {
  return Array.from(
    { length: size },
    (_, index) => ({ Sid: `S${index}`, ...kinds[index % kinds.length]?.(index) }) as BenchStatement,
  );
}

const condition = (pattern: string): NonNullable<BenchStatement['Condition']> => ({
  StringLike: { 'aws:username': pattern },
});

/** What the statements are about in turn; `n` tells the groups apart. */
const kinds: readonly ((index: number) => Omit<BenchStatement, 'Sid'>)[] = [
  (n) => ({ Effect: 'Allow', Action: 'iot:Publish', Resource: `${PREFIX}topic/site-${n}/telemetry/*` }),
  (n) => ({ Effect: 'Allow', Action: 'iot:Publish', Resource: `${PREFIX}topic/fleet/\${aws:username}/channel-${n}` }),
  (n) => ({ Effect: 'Deny', Action: 'iot:Publish', Resource: `${PREFIX}topic/site-${n - 2}/telemetry/secret*` }),
  (n) => ({
    Effect: 'Allow',
    Action: 'iot:Receive',
    Resource: `${PREFIX}topic/commands/${n}/*`,
    Condition: condition('device-*'),
  }),
  (n) => ({ Effect: 'Allow', Action: 'iot:Receive', Resource: `${PREFIX}topic/fleet/\${aws:username}/orders-${n}/*` }),
  (n) => ({ Effect: 'Allow', Action: 'iot:Subscribe', Resource: `${PREFIX}topicfilter/commands/${n}/*` }),
  (n) => ({ Effect: 'Allow', Action: 'iot:Publish', Resource: `${PREFIX}topic/*/status-${n}` }),
  (n) => ({
    Effect: 'Deny',
    Action: 'iot:Receive',
    Resource: `${PREFIX}topic/commands/${n - 4}/maintenance`,
    Condition: condition('guest-*'),
  }),
  (n) => ({
    Effect: 'Allow',
    Action: 'iot:Publish',
    Resource: `${PREFIX}topic/area-${n}/*/reading`,
    Condition: condition('*-1'),
  }),
  (n) => ({ Effect: 'Allow', Action: 'iot:Receive', Resource: `${PREFIX}topic/broadcast-${n}` }),
];

type Shape = () => { readonly action: BenchAction; readonly resource: string };

/** Requests in a fixed pseudo-random order: most meet some statement, some none, some a Deny. */
export function requestsOf(size: number, count: number): BenchRequest[] {
  let seed = 12345;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 0x80000000;
    return Math.floor((seed / 0x80000000) * below);
  };
  const group = (offset: number): number => random(Math.ceil(size / kinds.length)) * kinds.length + offset;
  const shapes: [Shape, ...Shape[]] = [
    () => ({ action: 'iot:Publish', resource: `topic/site-${group(0)}/telemetry/temperature` }),
    () => ({ action: 'iot:Publish', resource: `topic/site-${group(0)}/telemetry/secret/1` }),
    () => ({ action: 'iot:Publish', resource: `topic/fleet/${USER}/channel-${group(1)}` }),
    () => ({ action: 'iot:Publish', resource: `topic/fleet/device-2/channel-${group(1)}` }),
    () => ({ action: 'iot:Receive', resource: `topic/commands/${group(3)}/open` }),
    () => ({ action: 'iot:Receive', resource: `topic/commands/${group(3)}/maintenance` }),
    () => ({ action: 'iot:Receive', resource: `topic/fleet/${USER}/orders-${group(4)}/17` }),
    () => ({ action: 'iot:Subscribe', resource: `topicfilter/commands/${group(5)}/+` }),
    () => ({ action: 'iot:Publish', resource: `topic/lock-17/status-${group(6)}` }),
    () => ({ action: 'iot:Publish', resource: `topic/area-${group(8)}/room-2/reading` }),
    () => ({ action: 'iot:Receive', resource: `topic/broadcast-${group(9)}` }),
    () => ({ action: 'iot:Receive', resource: `topic/nothing/${group(0)}/here` }),
  ];
  return Array.from({ length: count }, (_, index) => {
    const { action, resource } = (shapes[index % shapes.length] ?? shapes[0])();
    const name = resource.slice(resource.indexOf('/') + 1);
    // Texts of their own, as they come off a wire: not slices of others, not yet to be put together.
    const [ownName, arn] = [name, `${PREFIX}${resource}`].map((text) => Buffer.from(text).toString()) as [
      string,
      string,
    ];
    return { action, name: ownName, arn };
  });
}
