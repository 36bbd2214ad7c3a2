import type { DirectMessaging } from '../direct/send.js';
import type { DataPlaneOperations } from '../operations/data-plane-operations.js';
import type { Operation } from './operation.js';
import { deleteConnection, getConnection, listSubscriptions } from './operations/connections.js';
import { publish } from './operations/publish.js';
import { getRetainedMessage, listRetainedMessages } from './operations/retained-messages.js';
import { requestAnswer } from './operations/request-answer.js';
import { sendDirectMessage } from './operations/send-direct-message.js';

/** The data plane: SendDirectMessage and the others. What the broker cannot be asked for answers NOT_SUPPORTED. */
export function createOperations(
  messaging: Pick<DirectMessaging, 'send' | 'request'>,
  others: DataPlaneOperations,
): Operation[] {
  return [
    sendDirectMessage(messaging),
    requestAnswer(messaging),
    publish(others),
    getConnection(others),
    deleteConnection(others),
    listSubscriptions(others),
    getRetainedMessage(others),
    listRetainedMessages(others),
  ];
}
