import type { Command } from 'commander';
import { diagnoseDoor } from '../brokers/door/doctor/doctor.js';
import { loadConfig } from '../config/load.js';
import { printDiagnoses } from './diagnoses.js';

/** `tightbeam mosquitto doctor`. */
export function mosquittoCommand(mosquitto: Command): void {
  mosquitto
    .command('doctor')
    .description('examine the broker behind the door, and the door that runs; exit code 1 where something fails')
    .requiredOption('-c, --config <file>', "the service's configuration")
    .option('--json', 'print the findings as JSON', false)
    .action(async ({ config, json }: { readonly config: string; readonly json: boolean }) => {
      try {
        printDiagnoses(await diagnoseDoor(loadConfig(config)), json);
      } catch (error) {
        if ((error as Error).name !== 'ConfigError') throw error;
        process.stderr.write(`error: ${(error as Error).message}\n`);
        process.exitCode = 1;
      }
    });
}
