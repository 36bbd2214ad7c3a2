import { BrokerFault, type BrokerOperations } from '../../operations/broker.js';

const refuse = (): Promise<never> =>
  Promise.reject(
    new BrokerFault('NOT_SUPPORTED', "The service has no access to EMQX's management API: the setting broker.api."),
  );

/** What can be asked of EMQX where `broker.api` is not set: nothing. Publishing needs no API and is not among these. */
export const WITHOUT_API: BrokerOperations = {
  getConnection: refuse,
  deleteConnection: refuse,
  listSubscriptions: refuse,
  getRetainedMessage: refuse,
  listRetainedMessages: refuse,
};
