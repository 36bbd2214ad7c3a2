import { describe, expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import {
  confinePacketIds,
  LAST_AEDES_PACKET_ID,
  standBefore,
  type AedesClient,
} from '../../../src/brokers/embedded/aedes-client.js';

describe('Aedes', () => {
  test('gives out each of its packet identifiers, and none of those of direct messages', () => {
    const client = { _nextId: 65_535 } as unknown as AedesClient;
    confinePacketIds(client);
    const given = new Set<number>();
    for (let count = 0; count < 2 * LAST_AEDES_PACKET_ID; count++) {
      given.add(client._nextId);
      // As Aedes counts on.
      if (client._nextId >= 65_535) client._nextId = 1;
      else client._nextId++;
    }
    expect(given.size).toBe(LAST_AEDES_PACKET_ID);
    expect([Math.min(...given), Math.max(...given)]).toEqual([1, LAST_AEDES_PACKET_ID]);
  });

  test('gets only the packets that it is handed', () => {
    const parser = new EventEmitter();
    const got: unknown[] = [];
    parser.on('packet', (packet) => got.push(packet));
    const toAedes = standBefore({ _parser: parser } as unknown as AedesClient, (packet) => {
      if (packet.cmd === 'pingreq') toAedes(packet);
    });
    parser.emit('packet', { cmd: 'publish' });
    parser.emit('packet', { cmd: 'pingreq' });
    expect(got).toEqual([{ cmd: 'pingreq' }]);
  });

  test('of a version that parses in another way is refused', () => {
    const parser = new EventEmitter();
    expect(() => standBefore({ _parser: parser } as unknown as AedesClient, () => undefined)).toThrow('another way');
  });
});
