import type { Reach, ReachQuestion } from '../../policy/questions/reach.js';
import { requestToJson } from '../../policy/questions/requests.js';
import { whoCanToJson } from '../../policy/questions/who-can.js';
import { print, printJson, type FolderOptions } from './folder.js';
import { printSenders } from './who-can.js';

/** Prints both sides of a direct message, and what comes of them. */
export function printReach(answer: Reach, { clientId, topic }: ReachQuestion, { json }: FolderOptions): void {
  const { senders, receivers, unclear, reaches } = answer;
  if (json === true) {
    const told = receivers.map((receiver) => ({ ...receiver, request: requestToJson(receiver.request) }));
    printJson({ ...answer, senders: whoCanToJson(senders), receivers: told });
    return;
  }
  print(`may send to ${clientId} on ${topic}:`);
  printSenders(senders);
  print(`may be connected as ${clientId} and receive on ${topic}:`);
  for (const { principal, who, connect, receive } of receivers) {
    const facts = Object.entries(who).map(([fact, pattern]) => `${fact}=${pattern}`);
    const by = `${connect.policy}/${connect.statement} and ${receive.policy}/${receive.statement}`;
    print(`${principal} (${facts.join(' ')}) by ${by}`);
  }
  if (receivers.length === 0 && unclear.length === 0) print('nobody');
  for (const { principal, reasons } of unclear) print(`${principal}: not made out because of ${reasons.join('; ')}`);
  const verdict = {
    yes: 'it can get through',
    no: 'it can not get through',
    unclear: 'whether it can get through is not made out',
  };
  print(verdict[reaches]);
}
