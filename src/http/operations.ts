import type { DirectMessaging } from '../direct/send.js';
import type { DataPlaneOperations } from '../operations/data-plane-operations.js';
import type { Operation } from './operation.js';
import { deleteConnection, getConnection, listSubscriptions } from './operations/connections.js';
import { publish } from './operations/publish.js';
import { getRetainedMessage, listRetainedMessages } from './operations/retained-messages.js';
import { sendDirectMessage } from './operations/send-direct-message.js';

/** The data plane: SendDirectMessage, and what else the broker can be asked for where there is a way to ask it. */
export function createOperations(messaging: Pick<DirectMessaging, 'send'>, others?: DataPlaneOperations): Operation[] {
  if (others === undefined) return [sendDirectMessage(messaging)];
  return [
    sendDirectMessage(messaging),
    publish(others),
    getConnection(others),
    deleteConnection(others),
    listSubscriptions(others),
    getRetainedMessage(others),
    listRetainedMessages(others),
  ];
}
