import { authorizerOf, decideCase, expectDecision, loadCorpus } from './corpus.js';

describe.each([...loadCorpus()])('%s', (_, cases) => {
  test.each(cases.map((item) => [item.name, item] as const))('%s', (_name, item) => {
    expectDecision(decideCase(authorizerOf(item), item), item);
  });
});
