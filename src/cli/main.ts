#!/usr/bin/env node
import { heedSignals } from './signals.js';

heedSignals();
// Only now: reading the program takes longer than what a signal should have to wait for.
const { program } = await import('./program.js');
await program.parseAsync();
