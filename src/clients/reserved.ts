import { realTopic } from '../policy/matching/topics.js';

const ROOT = '$tightbeam';

/** Under it a broker's plugin asks (`exhook/question.ts`), and no client has anything to say or to hear. */
export const QUESTIONS_PREFIX = `${ROOT}/`;

/** True for every topic name and filter there. */
export function isUnderQuestions(topic: string): boolean {
  const real = realTopic(topic);
  return real.startsWith(QUESTIONS_PREFIX) || real === ROOT;
}

/** Under it Tightbeam publishes lifecycle events as AWS IoT Core does, and nobody else publishes. Whoever a policy lets may subscribe. */
export const LIFECYCLE_PREFIX = '$aws/events/';

export function isLifecycleTopic(topic: string): boolean {
  return realTopic(topic).startsWith(LIFECYCLE_PREFIX);
}

/** For the operator. */
export const NO_CLIENT_THERE = `No client publishes or subscribes under ${QUESTIONS_PREFIX}.`;
export const NO_CLIENT_PUBLISHES = `Nobody but Tightbeam publishes under ${LIFECYCLE_PREFIX}.`;
