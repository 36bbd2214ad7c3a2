import { Batches } from '../direct/batch/batch.js';
import type { Limits } from '../direct/limits.js';
import type { DirectMessaging } from '../direct/send.js';
import type { Events } from '../observing/events.js';
import type { DataPlaneOperations } from '../operations/data-plane-operations.js';
import type { Devices } from '../operations/devices.js';
import type { PolicyQuestions } from '../operations/policy-questions.js';
import type { Viewing } from '../operations/viewing.js';
import type { Operation } from './operation.js';
import { deleteConnection, getConnection, listSubscriptions } from './operations/connections.js';
import { describeDevice } from './operations/devices.js';
import { policyQuestions } from './operations/policy-questions.js';
import { publish } from './operations/publish.js';
import { getRetainedMessage, listRetainedMessages } from './operations/retained-messages.js';
import { requestAnswer } from './operations/request-answer.js';
import { sendBatch } from './operations/send-batch.js';
import { sendDirectMessage } from './operations/send-direct-message.js';
import { viewEvents, viewStatistics, viewStatus } from './operations/viewing.js';

/** What does the work behind the operations. */
export interface OperationParts {
  readonly messaging: Pick<DirectMessaging, 'send' | 'request'>;
  readonly others: DataPlaneOperations;
  readonly questions: PolicyQuestions;
  readonly viewing: Viewing;
  readonly devices: Devices;
}

/**
 * The data plane, SendDirectMessage and the others, and what Tightbeam tells of itself. What the broker cannot be asked for
 * answers NOT_SUPPORTED.
 */
export function createOperations(
  { messaging, others, questions, viewing, devices }: OperationParts,
  common: { readonly events: Events; readonly limits: Limits; readonly clock: () => number },
): Operation[] {
  return [
    sendDirectMessage(messaging),
    requestAnswer(messaging),
    sendBatch(new Batches({ messaging, ...common }), common.events, common.clock),
    publish(others),
    getConnection(others),
    deleteConnection(others),
    listSubscriptions(others),
    getRetainedMessage(others),
    listRetainedMessages(others),
    ...policyQuestions(questions),
    viewEvents(viewing),
    viewStatus(viewing),
    viewStatistics(viewing),
    describeDevice(devices),
  ];
}
