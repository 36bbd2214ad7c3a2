import { Command } from 'commander';
import { VERSION } from '../version.js';
import { addDemoCommand } from './demo.js';
import { addEmqxCommands } from './emqx.js';
import { addLogsCommands } from './logs.js';
import { addPolicyCommands } from './policy/commands.js';
import { addRequestCommand } from './request.js';
import { addSendCommand } from './send.js';
import { addServeCommands } from './serve.js';
import { addTailCommand } from './tail.js';

/** All commands. */
export const program = new Command('tightbeam')
  .description('Send one message to one device, by its MQTT client ID, and know what became of it.')
  .version(VERSION)
  .showHelpAfterError('(add --help for the options)');

addServeCommands(program);
addSendCommand(program);
addRequestCommand(program);
addTailCommand(program);
addLogsCommands(program);
addEmqxCommands(program);
addPolicyCommands(program);
addDemoCommand(program);

// Who reads the output may have seen enough (`| head`). A service outlives its log's reader.
program.hook('preAction', (_, command) => {
  if (['serve', 'dev'].includes(command.name())) return;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
});
