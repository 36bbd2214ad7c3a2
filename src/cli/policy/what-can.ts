import type { Command } from 'commander';
import { whatCan, type Permission } from '../../policy/questions/what-can.js';
import { finish } from '../../policy/work.js';
import { reach } from '../../policy/questions/reach.js';
import { printReach } from './reach.js';
import { folderOptions, loadOrPrint, print, printJson, type FolderOptions } from './folder.js';

interface WhatCanOptions extends FolderOptions {
  readonly principal: string;
  readonly to?: string;
  readonly topic?: string;
}

export function addWhatCanCommand(policy: Command): void {
  folderOptions(policy.command('what-can'))
    .description('what a principal may do, without the patterns that others take in')
    .requiredOption('--principal <name>', 'principal of principals.json, or a username that stands for one')
    .option('--to <client-id>', 'only whether a direct message of it can reach this device: sender and receiver')
    .option('--topic <topic>', 'topic of that message')
    .action(answerWhatCan);
}

async function answerWhatCan(options: WhatCanOptions, command: Command): Promise<void> {
  const folder = await loadOrPrint(options);
  if (folder === undefined) return;
  const { set } = folder;
  const { principal: name } = options;
  const found = set.principal(name) ?? set.resolve({ protocol: 'MQTT', username: name, clientId: name });
  if (found === undefined) command.error(`error: nobody in principals.json is ${name}, or stands for that username`);
  const { to: clientId, topic } = options;
  if (clientId !== undefined) {
    if (topic === undefined) command.error('error: --to needs the --topic of the message');
    const question = { clientId, topic, sender: found.principal.name };
    printReach(finish(reach(set, question)), question, options);
    return;
  }
  const answer = finish(whatCan(set, found));
  if (options.json === true) {
    printJson({ principal: found.principal.name, ...answer });
    return;
  }
  for (const permission of answer.allowed) print(lineOf(permission, 'allow'));
  for (const permission of answer.denied) print(lineOf(permission, 'deny'));
  if (answer.allowed.length === 0) print('nothing');
}

function lineOf(
  { action, resource, exceptResource, conditions, policy, statement }: Permission,
  effect: string,
): string {
  const about = exceptResource ? `everything but ${resource}` : resource;
  const where = conditions.length === 0 ? '' : ` where ${conditions.join(', ')}`;
  return `${effect} ${action} on ${about}${where} (${policy}/${statement})`;
}
