import type { Ports } from '../app.js';

/** What a newcomer can copy and paste when `tightbeam dev` runs in a terminal. */
export function banner({ http, mqtt, metrics }: Ports, region: string, consoleLink?: string): string {
  return `
Tightbeam is ready: MQTT on port ${mqtt ?? '-'}, data-plane API on port ${http}, metrics on port ${metrics}.
For development only: the users and keys below are known to everybody.
${consoleLink === undefined ? '' : consoleLines(consoleLink)}
A device, which subscribes to nothing of interest (any MQTT client will do):
  mosquitto_sub -p ${mqtt ?? '-'} -i lock-17 -u lock-17 -P lock-17 -t 'state/lock-17/ignored' -v

A message for it, in another terminal:
  export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
  npx tightbeam send --endpoint http://127.0.0.1:${http} --client-id lock-17 --topic cmd/open --payload now

The same with curl:
  curl --aws-sigv4 aws:amz:${region}:iotdata --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \\
    -X POST --data-binary now 'http://127.0.0.1:${http}/connections/lock-17/messages?confirmation=true&topic=cmd%2Fopen'

What happens, live:
  npx tightbeam tail --url http://127.0.0.1:${metrics}

`;
}

function consoleLines(link: string): string {
  return `
The console, in a browser (the link is good once and for a minute; Enter makes another):
  ${link}
`;
}
