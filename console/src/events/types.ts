import { EVENT_TYPES as TYPES } from '../../../src/observing/events.js';

export const EVENT_TYPES: readonly string[] = TYPES;
