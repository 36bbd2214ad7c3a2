import { Command } from 'commander';
import { VERSION } from '../version.js';

/** One command: what the list of commands says of it, and where its options and what it does are to be had. */
interface Entry {
  readonly description: string;
  /** Adds options, action and commands of its own. Loaded only where it is asked for: a command starts as fast as its own parts. */
  readonly load: () => Promise<(command: Command) => void>;
}

/** All commands, in the order of the help. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  init: {
    description: 'write what a first service needs: settings, fresh secrets, policies; says what to type next',
    load: async () => (await import('./init.js')).initCommand,
  },
  config: {
    description: 'check the settings, and show those that are in force',
    load: async () => (await import('./config.js')).configCommand,
  },
  serve: {
    description: 'run beside EMQX, or as the door before another MQTT broker: data-plane API, policies, telemetry',
    load: async () => (await import('./serve.js')).serveCommand,
  },
  dev: {
    description: 'run with an embedded broker and example policies; nothing else to install; not for production',
    load: async () => (await import('./serve.js')).devCommand,
  },
  send: {
    description: 'send one message to one device, or a batch of them, and print what became of it',
    load: async () => (await import('./send.js')).sendCommand,
  },
  request: {
    description: 'send one message to one device and print the answer of the device',
    load: async () => (await import('./request.js')).requestCommand,
  },
  device: {
    description: 'say what is known of one device: connection, subscriptions, permissions, last events',
    load: async () => (await import('./device.js')).deviceCommand,
  },
  tail: {
    description: 'follow decisions and deliveries of a running service, one line each',
    load: async () => (await import('./tail.js')).tailCommand,
  },
  status: {
    description: 'say how a running service is: connections, policies, certificates, what is refused and why',
    load: async () => (await import('./status.js')).statusCommand,
  },
  logs: {
    description: 'explain what the log says',
    load: async () => (await import('./logs.js')).logsCommand,
  },
  emqx: {
    description: 'set up, examine and restore an EMQX that you run',
    load: async () => (await import('./emqx.js')).emqxCommand,
  },
  mosquitto: {
    description: 'examine Mosquitto, or another broker, behind the door',
    load: async () => (await import('./mosquitto.js')).mosquittoCommand,
  },
  policy: {
    description: 'check, explain and test policies',
    load: async () => (await import('./policy/commands.js')).policyCommand,
  },
  demo: {
    description: 'start everything on free ports, show every outcome once, and end',
    load: async () => (await import('./demo.js')).demoCommand,
  },
};

/** The program for one command line (`args`, without node and script): all commands by name, the one named in full. */
export async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('tightbeam')
    .description('Send one message to one device, by its MQTT client ID, and know what became of it.')
    .version(VERSION)
    .showHelpAfterError('(add --help for the options)');
  // `help send` shows what `send --help` does.
  const [named] = args.filter((word) => !word.startsWith('-') && word !== 'help');
  for (const [name, { description, load }] of Object.entries(COMMANDS)) {
    const command = program.command(name).description(description);
    if (name === named) (await load())(command);
  }
  // Who reads the output may have seen enough (`| head`). A service outlives its log's reader.
  program.hook('preAction', (_, command) => {
    if (['serve', 'dev'].includes(command.name())) return;
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit();
    });
  });
  return program;
}
