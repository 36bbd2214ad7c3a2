import { z } from 'zod';
import { invalid } from '../../direct/properties.js';
import type { PolicyQuestions } from '../../operations/policy-questions.js';
import { whoCanToJson } from '../../policy/questions/who-can.js';
import { tellAs, toAnswer, type OperationRequest, type WholeOperation } from '../operation.js';
import { Ended, retryAfter } from '../rendering.js';

const TEXT = z.string().max(10_240);
const ASKER = {
  principal: TEXT.optional(),
  username: TEXT.optional(),
  clientId: TEXT.optional(),
  commonName: TEXT.optional(),
  distinguishedName: TEXT.optional(),
  fingerprint: TEXT.optional(),
  jwtSubject: TEXT.optional(),
  accessKeyId: TEXT.optional(),
  sourceIp: TEXT.optional(),
  context: z.record(TEXT, z.union([TEXT, z.array(TEXT).max(100)])).optional(),
};
const ASKED = { action: TEXT, resource: TEXT };

const EXPLAIN = z.strictObject({ ...ASKER, ...ASKED });
const WHO_CAN = z.strictObject({ ...ASKED, topic: TEXT.optional() });
const WHAT_CAN = z.strictObject(ASKER);

/** When to ask again where too many questions wait. */
const RETRY_MS = 1_000;

/** What the policies in force say: `POST /tightbeam/v1/policy/{explain,who-can,what-can}`, questions and answers are JSON. */
export function policyQuestions(questions: PolicyQuestions): WholeOperation[] {
  const common = { method: 'POST', refused: tellAs('ExplainPolicy') } as const;
  return [
    {
      ...common,
      path: '/tightbeam/v1/policy/explain',
      async answer(request) {
        const { action, resource, ...asker } = readBody(request, EXPLAIN);
        return toAnswer(await questions.explain(request, asker, { action, resource }), (explanation) => explanation);
      },
    },
    {
      ...common,
      path: '/tightbeam/v1/policy/who-can',
      async answer(request) {
        const { topic, ...asked } = readBody(request, WHO_CAN);
        return ofWork(toAnswer(await questions.whoCan(request, asked, topic, request.withdrawal()), whoCanToJson));
      },
    },
    {
      ...common,
      path: '/tightbeam/v1/policy/what-can',
      async answer(request) {
        const asker = readBody(request, WHAT_CAN);
        return ofWork(toAnswer(await questions.whatCan(request, asker, request.withdrawal()), (answer) => answer));
      },
    },
  ];
}

type Answered = Awaited<ReturnType<WholeOperation['answer']>>;

function ofWork(answer: Answered): Answered {
  return 'reason' in answer && answer.reason === 'ACCOUNT_THROTTLED'
    ? { ...answer, headers: retryAfter(RETRY_MS) }
    : answer;
}

/** @throws Ended where the body is no such question */
function readBody<T>({ body }: OperationRequest, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new Ended(invalid('The body is no JSON in UTF-8.'));
  }
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new Ended(invalid(`${['body', ...(issue?.path ?? [])].map(String).join('.')}: ${issue?.message ?? ''}.`));
}
