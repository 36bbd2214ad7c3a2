import type { Answers } from './project.js';

type Scope = Pick<Answers, 'region' | 'accountId'>;

function arn({ region, accountId }: Scope, resource: string): string {
  return `arn:aws:iot:${region}:${accountId}:${resource}`;
}

/** Devices like the first: `lock-*` for `lock-17`; itself alone where its name does not end in a number, or is one. */
export function family(device: string): string {
  return device.replace(/(?<=[^0-9])[0-9]+$/, '*');
}

export function principals({ device, backend }: Answers, accessKeyId: string): object {
  return {
    $schema: './schema/principals.schema.json',
    principals: {
      backend: { match: [{ username: backend }, { accessKeyId }], policies: ['backend'] },
      device: { match: { username: family(device) }, policies: ['device'], thing: { name: '${username}' } },
    },
  };
}

/** Connects under its own name only; receives commands; publishes and hears its own state. */
export function devicePolicy(scope: Scope): object {
  return {
    $schema: './schema/policy.schema.json',
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'ConnectAsItself',
        Effect: 'Allow',
        Action: 'iot:Connect',
        Resource: arn(scope, 'client/${iot:Connection.Thing.ThingName}'),
      },
      { Sid: 'ReceiveCommands', Effect: 'Allow', Action: 'iot:Receive', Resource: arn(scope, 'topic/cmd/*') },
      {
        Sid: 'PublishOwnState',
        Effect: 'Allow',
        Action: 'iot:Publish',
        Resource: [arn(scope, 'topic/state/${iot:ClientId}'), arn(scope, 'topic/state/${iot:ClientId}/*')],
      },
      {
        Sid: 'SubscribeToOwnState',
        Effect: 'Allow',
        Action: 'iot:Subscribe',
        Resource: arn(scope, 'topicfilter/state/${iot:ClientId}/*'),
      },
      {
        Sid: 'ReceiveOwnState',
        Effect: 'Allow',
        Action: 'iot:Receive',
        Resource: arn(scope, 'topic/state/${iot:ClientId}/*'),
      },
    ],
  };
}

/** Sends commands to devices like the first, looks them up, and hears what they publish. */
export function backendPolicy(answers: Answers): object {
  return {
    $schema: './schema/policy.schema.json',
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'ConnectAsItself',
        Effect: 'Allow',
        Action: 'iot:Connect',
        Resource: arn(answers, `client/${answers.backend}-*`),
      },
      {
        Sid: 'SendCommands',
        Effect: 'Allow',
        Action: 'iot:SendDirectMessage',
        Resource: arn(answers, `client/${family(answers.device)}`),
        Condition: { StringLike: { 'iot:Topic': 'cmd/*' } },
      },
      {
        Sid: 'SeeConnections',
        Effect: 'Allow',
        Action: ['iot:GetConnection', 'iot:ListSubscriptions'],
        Resource: arn(answers, `client/${family(answers.device)}`),
      },
      {
        Sid: 'SubscribeToState',
        Effect: 'Allow',
        Action: 'iot:Subscribe',
        Resource: arn(answers, 'topicfilter/state/*'),
      },
      { Sid: 'ReceiveState', Effect: 'Allow', Action: 'iot:Receive', Resource: arn(answers, 'topic/state/*') },
    ],
  };
}

/** What must hold whatever becomes of the policies: `tightbeam policy test`. */
export function policyTests({ device, backend }: Answers, accessKeyId: string): object {
  const asked = { identity: { accessKeyId }, action: 'iot:SendDirectMessage', resource: `client/${device}` };
  const received = { identity: { username: device, clientId: device }, action: 'iot:Receive' };
  return {
    $schema: '../schema/tests.schema.json',
    tests: [
      {
        name: `${backend} may send a command to ${device}`,
        ...asked,
        context: { 'iot:Topic': 'cmd/open' },
        expect: { effect: 'allow', statement: 'SendCommands' },
      },
      { name: `${backend} may send nothing else`, ...asked, context: { 'iot:Topic': 'config/set' }, expect: 'deny' },
      { name: `${device} receives commands`, ...received, resource: 'topic/cmd/open', expect: 'allow' },
      { name: `${device} receives nothing else`, ...received, resource: 'topic/config/set', expect: 'deny' },
    ],
  };
}
