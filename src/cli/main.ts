#!/usr/bin/env node
import { heedSignals } from './signals.js';

heedSignals();
// Only now: reading the program takes longer than what a signal should have to wait for.
const { createProgram } = await import('./program.js');
const program = await createProgram(process.argv.slice(2));
await program.parseAsync();
