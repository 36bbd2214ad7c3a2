import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { RequestStage, response } from './requesting.js';

const stage = new RequestStage();
beforeEach(() => stage.start());
afterEach(() => stage.running.stop());

describe('a repeat of a request', () => {
  test('gets the same answer, and the device nothing', async () => {
    stage.ask({ id: 'a' });
    await stage.take();
    stage.answer();
    const first = await stage.outcome();
    stage.ask({ id: 'a' });
    expect(await stage.outcome()).toEqual({ ...first, packetId: 2, joined: true, traceId: '1'.repeat(32) });
    await stage.expectNothing();
  });

  test('under way joins the first: one PUBLISH, one answer for both', async () => {
    const first = stage.ask({ id: 'a' });
    await stage.take();
    const other = await stage.connectService('service-2');
    const second = stage.ask({ id: 'a', from: other });
    await other.settled();
    stage.answer();
    expect(await stage.outcome()).toMatchObject({ packetId: first, response: response('open') });
    expect(await stage.outcome(other)).toMatchObject({ packetId: second, joined: true, response: response('open') });
    await stage.expectNothing();
  });

  test('waits for the answer of a device that has acknowledged and was silent', async () => {
    stage.ask({ id: 'a', timeoutMs: 300 });
    await stage.take();
    expect(await stage.outcome()).toMatchObject({ reason: 'ACKNOWLEDGED_NOT_ANSWERED', written: 'yes' });
    stage.ask({ id: 'a', timeoutMs: 300 });
    expect(await stage.outcome()).toMatchObject({ reason: 'ACKNOWLEDGED_NOT_ANSWERED', written: 'yes', joined: true });
    stage.ask({ id: 'a' });
    await stage.service.settled();
    stage.answer();
    expect(await stage.outcome()).toMatchObject({ reason: 'ANSWERED', joined: true, response: response('open') });
    await stage.expectNothing();
  });

  test('gets the answer that came when nobody waited, PUBACK and all', async () => {
    stage.ask({ id: 'a', timeoutMs: 300 });
    const packet = await stage.device.next('publish');
    expect(await stage.outcome()).toMatchObject({ reason: 'PUBACK_TIMEOUT' });
    stage.device.acknowledge(packet);
    stage.answer('late');
    await stage.device.settled();
    stage.ask({ id: 'a' });
    expect(await stage.outcome()).toMatchObject({ reason: 'ANSWERED', joined: true, response: response('late') });
    await stage.expectNothing();
  });

  test('gets the answer that came when the first sender was gone', async () => {
    stage.ask({ id: 'a' });
    await stage.take();
    await stage.device.settled();
    stage.service.destroy();
    await stage.service.closed;
    stage.answer('late');
    await stage.device.settled();
    stage.service = await stage.connectService('service-2');
    stage.ask({ id: 'a' });
    expect(await stage.outcome()).toMatchObject({ reason: 'ANSWERED', joined: true, response: response('late') });
    await stage.expectNothing();
  });

  test('is another attempt where the device went away before it acknowledged', async () => {
    stage.ask({ id: 'a' });
    await stage.device.next('publish');
    stage.device.destroy();
    expect(await stage.outcome()).toMatchObject({ reason: 'RECEIVER_DISCONNECTED', written: 'yes' });
    stage.device = await stage.running.raw('lock-17');
    stage.ask({ id: 'a' });
    await stage.take();
    stage.answer();
    expect(await stage.outcome()).toMatchObject({
      reason: 'ANSWERED',
      earlierWritten: true,
      response: response('open'),
    });
  });

  test('does not keep a later request from being answered without Correlation Data', async () => {
    stage.ask({ id: 'a', timeoutMs: 300 });
    await stage.take();
    expect(await stage.outcome()).toMatchObject({ reason: 'ACKNOWLEDGED_NOT_ANSWERED' });
    const packetId = stage.ask({ id: 'b' });
    await stage.take();
    stage.answer('bare', null);
    expect(await stage.outcome()).toMatchObject({ packetId, response: response('bare') });
  });
});
