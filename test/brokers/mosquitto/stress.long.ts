import { afterEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RawClient } from '../embedded/harness.js';
import { startDoor, type Running } from './harness.js';
import { hasMosquitto } from './mosquitto.js';

/** TIGHTBEAM_STRESS_MESSAGES=100000 for acceptance. */
const MESSAGES = Number(process.env['TIGHTBEAM_STRESS_MESSAGES'] ?? 4_000);
const SEED = Number(process.env['TIGHTBEAM_STRESS_SEED'] ?? 1);
const DEVICES = 12;
const SENDERS = 8;
const PUBLISHERS = 3;
const RESTARTS = 3;
const SESSION = { clean: false, properties: { sessionExpiryInterval: 3_600, receiveMaximum: 20 } };

/** What must hold, whatever happens. */
class Model {
  readonly acknowledged = new Set<string>();
  readonly received = new Set<string>();
  /** Ordinary messages that the broker has taken over. */
  readonly taken: string[] = [];
  readonly outcomes = new Map<number | 'lost', number>();
  readonly violations: string[] = [];
  started = 0;

  told(outcome: number | 'lost'): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }
}

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

let running: Running;
let folder: string;

/** A connection, as soon as the broker is there. */
async function connect(clientId: string, packet: object = {}): Promise<RawClient> {
  for (;;) {
    const client = await running.raw(clientId, packet).catch(() => undefined);
    if (client !== undefined && !client.socket.destroyed) return client;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** One connection of a device, until it leaves, dies or is taken over. */
async function live(device: RawClient, model: Model, random: () => number): Promise<void> {
  const open = new Set<number>();
  const late: number[] = [];
  const acknowledge = (messageId: number, reasonCode = 0): void => {
    open.delete(messageId);
    device.send({ cmd: 'puback', messageId, reasonCode });
  };
  for (;;) {
    const publish = await device.next('publish').catch(() => undefined);
    if (publish === undefined) return;
    const { messageId = 0 } = publish;
    const payload = publish.payload.toString();
    if (open.has(messageId)) model.violations.push(`identifier ${messageId} is in use`);
    open.add(messageId);
    for (const other of late.splice(0)) acknowledge(other);
    const dice = random();
    if (dice < 0.01) {
      device.destroy();
      return;
    }
    // Another connection takes this one over.
    if (dice < 0.02) return;
    if (payload.startsWith('o')) {
      model.received.add(payload);
      acknowledge(messageId);
    } else if (dice < 0.06) {
      // Never.
    } else if (dice < 0.12) acknowledge(messageId, 0x97);
    else {
      model.acknowledged.add(payload);
      if (dice < 0.2) late.push(messageId);
      else acknowledge(messageId);
    }
  }
}

async function sendAll(name: string, model: Model, random: () => number): Promise<void> {
  let sender = await connect(name);
  for (let id = 1; model.started < MESSAGES; id = (id % 60_000) + 1) {
    const payload = `d${model.started++}`;
    const device = `device-${Math.floor(random() * DEVICES)}`;
    const properties = { userProperties: { 'dm-timeout-ms': '300' } };
    sender.publish(`$dm/${device}/t`, id, { payload, properties });
    const answer = await sender.next('puback').catch(() => undefined);
    if (answer === undefined) {
      model.told('lost');
      sender = await connect(name);
      continue;
    }
    const code = answer.reasonCode ?? 0;
    model.told(code);
    if (answer.messageId !== id) model.violations.push(`${payload}: answered as ${answer.messageId ?? 0}`);
    if (code === 0 && !model.acknowledged.has(payload)) model.violations.push(`${payload}: confirmed, and never was`);
  }
  if (sender.received.some(({ cmd }) => cmd === 'puback')) model.violations.push(`${name}: an answer too many`);
}

async function publishAll(name: string, model: Model, random: () => number): Promise<void> {
  let publisher = await connect(name);
  for (let count = 0; model.started < MESSAGES; count++) {
    const device = `device-${Math.floor(random() * DEVICES)}`;
    const payload = `o-${name}-${count}-${device}`;
    publisher.publish(`news/${device}`, (count % 60_000) + 1, { payload });
    if ((await publisher.next('puback').catch(() => undefined)) === undefined) publisher = await connect(name);
    else model.taken.push(payload);
  }
}

(hasMosquitto ? describe : describe.skip)('the door before Mosquitto, under stress', () => {
  afterEach(async () => {
    await running.stop();
    rmSync(folder, { recursive: true });
  });

  test(`keeps its word for ${MESSAGES} messages (seed ${SEED})`, async () => {
    folder = mkdtempSync(join(tmpdir(), 'tightbeam-stress-'));
    const persistence = ['persistence true', `persistence_location ${folder}/`];
    running = await startDoor({ mosquitto: { config: [...persistence, 'max_queued_messages 0'] } });
    const model = new Model();
    const random = randomOf(SEED);
    let over = false;
    const current = new Map<string, RawClient>();
    const devices = Array.from({ length: DEVICES }, async (_, index) => {
      const name = `device-${index}`;
      while (!over) {
        const device = await connect(name, SESSION);
        current.set(name, device);
        device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `news/${name}`, qos: 1 }] });
        await live(device, model, random);
      }
    });
    // Before anything is sent to them, their subscriptions are there.
    for (let index = 0; index < DEVICES; index++) {
      await running.events.next('Subscribe', ({ identity }) => identity.clientId === `device-${index}`);
    }
    const work = [
      ...Array.from({ length: SENDERS }, (_, index) => sendAll(`sender-${index}`, model, random)),
      ...Array.from({ length: PUBLISHERS }, (_, index) => publishAll(`publisher-${index}`, model, random)),
    ];
    for (let restart = 1; restart <= RESTARTS; restart++) {
      const until = (MESSAGES * restart) / (RESTARTS + 1);
      while (model.started < until) await new Promise((resolve) => setTimeout(resolve, 20));
      await running.mosquitto.stop();
      await running.mosquitto.start();
    }
    await Promise.all(work);
    // What is still in sessions comes to devices that go on living.
    while (model.taken.some((payload) => !model.received.has(payload))) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    over = true;
    for (const device of current.values()) device.destroy();
    await Promise.all(devices);
    process.stdout.write(`${JSON.stringify({ ordinary: model.taken.length, outcomes: [...model.outcomes] })}\n`);
    expect(model.violations).toEqual([]);
    expect([...model.outcomes.values()].reduce((sum, count) => sum + count, 0)).toBe(model.started);
    expect(running.broker.load.pendingMessages).toBe(0);
  });
});
