import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { brokerWord, disconnectReason } from '../../src/observing/disconnect-reasons.js';

interface Recorded {
  readonly method: string;
  readonly request: { readonly reason?: string };
}

function recordedReasons(): string[] {
  return ['emqx-5.8.9-exhook.jsonl', 'emqx-5.8.9-exhook-2.jsonl']
    .flatMap((name) => readFileSync(`test/fixtures/${name}`, 'utf8').trimEnd().split('\n'))
    .map((line) => JSON.parse(line) as Recorded)
    .filter(({ method }) => method === 'OnClientDisconnected')
    .map(({ request }) => request.reason ?? '');
}

describe('disconnect reasons', () => {
  it.each([
    ['normal', 'CLIENT_INITIATED_DISCONNECT'],
    ['takenover', 'DUPLICATE_CLIENTID'],
    ['discarded', 'DUPLICATE_CLIENTID'],
    ['keepalive_timeout', 'MQTT_KEEP_ALIVE_TIMEOUT'],
    ['kicked', 'API_INITIATED_DISCONNECT'],
    ['ssl_closed', 'CONNECTION_LOST'],
    ['tcp_closed', 'CONNECTION_LOST'],
    ['not_authorized', 'AUTH_ERROR'],
    ['#{cause => invalid_topic,parsed_length => 9,remaining_bytes_length => 3}', 'CLIENT_ERROR'],
    ['{shutdown,normal}', 'CLIENT_INITIATED_DISCONNECT'],
    ['{shutdown,#{cause => invalid_topic}}', 'CLIENT_ERROR'],
    ['something_new', 'UNKNOWN'],
    ['constructor', 'UNKNOWN'],
    ['', 'UNKNOWN'],
  ])('%s becomes %s', (brokerReason, expected) => {
    expect(disconnectReason(brokerReason)).toBe(expected);
  });

  it('that a real EMQX 5.8.9 sent are all known', () => {
    const reasons = recordedReasons();
    expect(reasons.length).toBeGreaterThan(10);
    expect(reasons.filter((reason) => disconnectReason(reason) === 'UNKNOWN')).toEqual([]);
  });

  it.each([
    ['tcp_closed', 'tcp_closed'],
    ['{shutdown,tcp_closed}', 'tcp_closed'],
    ['#{cause => invalid_topic,parsed_length => 9}', 'invalid_topic'],
    ['#{hint => <<"secret">>}', 'other'],
    ['', 'other'],
  ])('%s is logged as %s', (brokerReason, word) => {
    expect(brokerWord(brokerReason)).toBe(word);
  });
});
