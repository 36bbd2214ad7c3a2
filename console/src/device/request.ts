import { shellWord } from '../parts/shown.js';

/** A message as the form has it: the parameters of SendDirectMessage, and of a request. */
export interface Draft {
  readonly kind: 'message' | 'request';
  readonly clientId: string;
  readonly topic: string;
  readonly payload: string;
  readonly confirmation: boolean;
  readonly timeout: string;
  readonly contentType: string;
  readonly responseTopic: string;
  readonly userProperties: readonly (readonly [string, string])[];
}

export interface Call {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The request of the HTTP API that sends it. */
export function callOf(draft: Draft): Call {
  const { kind, clientId, topic, payload, confirmation, timeout, contentType, responseTopic, userProperties } = draft;
  const isRequest = kind === 'request';
  return {
    path: `/connections/${encodeURIComponent(clientId)}/${isRequest ? 'requests' : 'messages'}`,
    query: {
      topic,
      ...(!isRequest && { confirmation: String(confirmation) }),
      ...(timeout !== '' && { timeout }),
      ...(contentType !== '' && { contentType }),
      ...(responseTopic !== '' && { responseTopic }),
    },
    headers: userProperties.length === 0 ? {} : { 'x-amz-mqtt5-user-properties': toBase64(userProperties) },
    body: payload,
  };
}

function toBase64(properties: Draft['userProperties']): string {
  const json = JSON.stringify(properties.map(([name, value]) => ({ [name]: value })));
  return btoa(String.fromCharCode(...new TextEncoder().encode(json)));
}

export interface Place {
  /** Of the data-plane API. */
  readonly endpoint: string;
  readonly region: string;
}

export const LANGUAGES = ['curl', 'CLI', 'JavaScript', 'Python'] as const;
export type Language = (typeof LANGUAGES)[number];

/** The same message as a command or a program, for the data-plane API. */
export function snippet(language: Language, draft: Draft, { endpoint, region }: Place): string {
  const { path, query, headers, body } = callOf(draft);
  const target = `${endpoint}${path}?${new URLSearchParams(query).toString().replaceAll('+', '%20')}`;
  const text = JSON.stringify;
  switch (language) {
    case 'curl':
      return [
        `curl --aws-sigv4 ${shellWord(`aws:amz:${region}:iotdata`)} --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"`,
        ...Object.entries(headers).map(([name, value]) => `  -H ${shellWord(`${name}: ${value}`)}`),
        `  -X POST --data-binary ${shellWord(body)} ${shellWord(target)}`,
      ].join(' \\\n');
    case 'CLI':
      return [
        `npx tightbeam ${draft.kind === 'request' ? 'request' : 'send'} --endpoint ${shellWord(endpoint)}`,
        `--client-id ${shellWord(draft.clientId)} --topic ${shellWord(draft.topic)} --payload ${shellWord(body)}`,
        ...(draft.timeout === '' ? [] : [`--timeout ${shellWord(draft.timeout)}`]),
      ].join(' ');
    case 'JavaScript':
      if (draft.kind === 'request') return signedFetch(target, headers, body);
      return `import { IoTDataPlaneClient, SendDirectMessageCommand } from '@aws-sdk/client-iot-data-plane';

const client = new IoTDataPlaneClient({ endpoint: ${text(endpoint)}, region: ${text(region)} });
const answer = await client.send(
  new SendDirectMessageCommand({
    clientId: ${text(draft.clientId)},
    topic: ${text(draft.topic)},
    payload: ${text(body)},
    confirmation: ${draft.confirmation},${draft.timeout === '' ? '' : `\n    timeout: ${draft.timeout},`}${draft.contentType === '' ? '' : `\n    contentType: ${text(draft.contentType)},`}${draft.responseTopic === '' ? '' : `\n    responseTopic: ${text(draft.responseTopic)},`}
  }),
);
console.log(answer.traceId);`;
    case 'Python':
      return `import urllib.request
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session

request = AWSRequest(method="POST", url=${text(target)}, data=${text(body)}.encode(), headers=${text(headers)})
SigV4Auth(Session().get_credentials(), "iotdata", ${text(region)}).add_auth(request)
call = urllib.request.Request(request.url, request.data, dict(request.headers), method="POST")
print(urllib.request.urlopen(call).read().decode())`;
  }
}

function signedFetch(target: string, headers: Call['headers'], body: string): string {
  const text = JSON.stringify;
  return `import { AwsClient } from 'aws4fetch';

const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
const client = new AwsClient({ accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY, service: 'iotdata' });
const answer = await client.fetch(${text(target)}, { method: 'POST', headers: ${text(headers)}, body: ${text(body)} });
console.log(await answer.text());`;
}
