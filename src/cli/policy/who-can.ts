import type { Command } from 'commander';
import type { Action } from '../../policy/authorizer.js';
import { whoCan, whoCanToJson, type Grant, type WhoCan } from '../../policy/questions/who-can.js';
import { finish } from '../../policy/work.js';
import { reach } from '../../policy/questions/reach.js';
import { printReach } from './reach.js';
import { folderOptions, loadOrPrint, print, printJson, type FolderOptions } from './folder.js';
import { nameOfResource, parseAction } from './resource.js';

interface WhoCanOptions extends FolderOptions {
  readonly action: Action;
  readonly resource: string;
  readonly topic?: string;
  readonly bothSides?: boolean;
}

export function addWhoCanCommand(policy: Command): void {
  folderOptions(policy.command('who-can'))
    .description('everybody who may do something, and the statements by which they may')
    .requiredOption('--action <action>', 'iot:SendDirectMessage, iot:Connect, ...', parseAction)
    .requiredOption('--resource <resource>', 'client/lock-17, topic/a/b, topicfilter/a/#, or the whole ARN')
    .option('--topic <topic>', 'topic of a direct message (default: any)')
    .option('--both-sides', 'of a direct message: also whether whoever is connected as its receiver may receive it')
    .action(answerWhoCan);
}

async function answerWhoCan(options: WhoCanOptions, command: Command): Promise<void> {
  const found = await loadOrPrint(options);
  if (found === undefined) return;
  const { action, resource, topic } = options;
  const name = nameOfResource(found.set, action, resource, command);
  if (options.bothSides === true) {
    if (action !== 'iot:SendDirectMessage' || topic === undefined) {
      command.error('error: --both-sides is about iot:SendDirectMessage with a --topic');
    }
    printReach(finish(reach(found.set, { clientId: name, topic })), { clientId: name, topic }, options);
    return;
  }
  const answer = finish(whoCan(found.set, { action, name, ...(topic !== undefined && { topic }) }));
  if (options.json === true) printJson(whoCanToJson(answer));
  else printSenders(answer);
}

export function printSenders({ grants, unclear }: WhoCan): void {
  for (const grant of grants) print(lineOf(grant));
  if (grants.length === 0 && unclear.length === 0) print('nobody');
  for (const { principal, reasons } of unclear) {
    print(`${principal}: perhaps others too, which could not be made out because of ${reasons.join('; ')}`);
  }
}

function lineOf({ principal, who, policy, statement, request }: Grant): string {
  const facts = Object.entries(who).map(([fact, pattern]) => `${fact}=${pattern}`);
  const needs = [...request.context]
    .filter(([key]) => key !== 'iot:topic')
    .map(([key, value]) => `${key}=${String(value)}`);
  const { sourceIp } = request.identity;
  if (sourceIp !== undefined) needs.push(`aws:sourceip=${sourceIp}`);
  const where = needs.length === 0 ? '' : `, for instance with ${needs.join(' ')}`;
  return `${principal} (${facts.join(' ')}) by ${policy}/${statement}${where}`;
}
