import { authorizerOf, decideCase, expectedDecision, loadCorpus } from './corpus.js';

describe.each([...loadCorpus()])('%s', (_, cases) => {
  test.each(cases.map((item) => [item.name, item] as const))('%s', (_name, item) => {
    const { policy, statement, ...decision } = decideCase(authorizerOf(item), item);
    expect({ ...decision, policy, statement }).toMatchObject({
      policy: undefined,
      statement: undefined,
      ...expectedDecision(item),
    });
  });
});
