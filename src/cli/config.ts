import type { Command } from 'commander';
import { checkConfig } from '../config/check.js';
import { ConfigError, type LoadedConfig, readConfig } from '../config/load.js';
import { showConfig } from '../config/show.js';

interface Options {
  readonly config?: string;
}

/** `tightbeam config check | show`. */
export function configCommand(config: Command): void {
  const file = ['--config <file>', 'settings, YAML or JSON; environment variables count too'] as const;
  config
    .command('check')
    .description(
      'check the settings, and every file that they name, as the service would; exit code 1 where it would not start',
    )
    .option(...file)
    .action(async (options: Options) => {
      const loaded = read(options);
      if (loaded === undefined) return;
      const { errors, warnings, found } = await checkConfig(loaded.config);
      for (const line of found) process.stdout.write(`ok       ${line}\n`);
      for (const line of warnings) process.stdout.write(`warning  ${line}\n`);
      for (const line of errors) process.stderr.write(`error    ${line}\n`);
      if (errors.length > 0) process.exitCode = 1;
    });
  config
    .command('show')
    .description('print every setting that is in force, as YAML, with where it comes from; secrets are hidden')
    .option(...file)
    .action((options: Options) => {
      const loaded = read(options);
      if (loaded !== undefined) process.stdout.write(showConfig(loaded));
    });
}

function read({ config }: Options): LoadedConfig | undefined {
  try {
    return readConfig(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`tightbeam: ${error.message}\n`);
    process.exitCode = 1;
    return undefined;
  }
}
