import { describe, expect, test } from '@jest/globals';
import { DEFAULT_LIMITS } from '../../src/direct/limits.js';
import { readDirectMessage, type SendDirectMessageInput } from '../../src/direct/request.js';

const read = (input: Partial<SendDirectMessageInput> = {}, limits = DEFAULT_LIMITS) =>
  readDirectMessage({ clientId: 'lock-17', topic: 'cmd', payload: Buffer.from('open'), ...input }, limits);

describe('the input of SendDirectMessage', () => {
  test('only client ID, topic and payload are required', () => {
    expect(read()).toEqual({
      ok: true,
      message: {
        targetClientId: 'lock-17',
        topic: 'cmd',
        payload: Buffer.from('open'),
        confirmation: false,
        timeoutMs: 5000,
        properties: {},
      },
    });
  });

  test('a property given as undefined is a property not given', () => {
    expect(read({ contentType: undefined, timeout: undefined, confirmation: undefined })).toEqual(read());
  });

  test.each([
    ['1', 1000],
    ['15', 15_000],
    ['05', 5000],
  ])('timeout %s is %i ms', (timeout, timeoutMs) => {
    expect(read({ confirmation: 'true', timeout })).toMatchObject({ message: { timeoutMs } });
  });

  test('limits are those configured, not those of AWS', () => {
    const limits = { ...DEFAULT_LIMITS, maxTimeoutMs: 2500, payloadBytes: 4, topicBytes: 3, clientIdCharacters: 7 };
    expect(read({ confirmation: 'true', timeout: '2' }, limits)).toMatchObject({ ok: true });
    expect(read({ confirmation: 'true', timeout: '3' }, limits)).toEqual({
      ok: false,
      reason: 'INVALID_PARAMETER',
      details: 'timeout is not a whole number of seconds from 1 to 2.',
    });
    expect(read({ payload: Buffer.from('open!') }, limits)).toMatchObject({ reason: 'PAYLOAD_TOO_LARGE' });
    expect(read({ topic: 'cmds' }, limits)).toMatchObject({ reason: 'INVALID_TOPIC' });
    expect(read({ clientId: 'lock-017' }, limits)).toMatchObject({ reason: 'INVALID_CLIENT_ID' });
    expect(read({ responseTopic: 'long' }, limits)).toMatchObject({ reason: 'INVALID_PARAMETER' });
  });

  test('user properties keep their order and their repetitions', () => {
    const userProperties = Buffer.from('[{"b":"1"},{"a":""},{"b":"ü"}]').toString('base64');
    expect(read({ userProperties })).toMatchObject({
      message: {
        properties: {
          userProperties: [
            ['b', '1'],
            ['a', ''],
            ['b', 'ü'],
          ],
        },
      },
    });
  });

  test('the fault of the client ID comes before that of the topic, and so on: one fault at a time', () => {
    const bad = { clientId: '', topic: '$x', confirmation: '?', timeout: '?', contentType: '\0' };
    expect(read(bad)).toMatchObject({ reason: 'INVALID_CLIENT_ID' });
    expect(read({ ...bad, clientId: 'a' })).toMatchObject({ reason: 'RESERVED_TOPIC' });
    expect(read({ ...bad, clientId: 'a', topic: 'b' })).toMatchObject({
      details: expect.stringMatching(/^confirmation/),
    });
  });
});
