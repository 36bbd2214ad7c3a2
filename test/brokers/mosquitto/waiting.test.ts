import { test } from '@jest/globals';
import { testInstead } from '../embedded/harness.js';
import { startAsEmbedded } from './harness.js';
import { hasMosquitto } from './mosquitto.js';

if (hasMosquitto) {
  testInstead(startAsEmbedded);
  await import('../embedded/waiting.test.js');
} else {
  test.skip('Mosquitto is not installed on this machine', () => undefined);
}
