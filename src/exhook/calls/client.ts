import { identityOf } from '../normalise.js';
import type { Handler } from './context.js';

export const onClientConnected: Handler<'OnClientConnected'> = ({ clientinfo }, context) => {
  if (clientinfo !== null) {
    context.afterwards(() => {
      const identity = identityOf(clientinfo);
      const isService = identity.username === context.serviceUsername;
      context.events.tell('Connect', {
        identity,
        ...(isService ? {} : { decision: context.authorizer.connect(identity) }),
      });
    });
  }
  return {};
};

export const onClientDisconnected: Handler<'OnClientDisconnected'> = ({ clientinfo, reason }, context) => {
  if (clientinfo !== null) {
    context.afterwards(() => {
      context.events.tell('Disconnect', {
        identity: identityOf(clientinfo),
        disconnectReason: reason,
      });
    });
  }
  return {};
};
