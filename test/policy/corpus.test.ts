import { authorizerOf, decideCase, expectDecision, loadCorpus } from './corpus.js';

describe.each([...loadCorpus()])('%s', (_, cases) => {
  test.each(cases.map((item) => [item.name, item] as const))('%s', (_name, item) => {
    expectDecision(decideCase(authorizerOf(item), item), item);
  });
});

test('examples of AWS name the page that they are from', () => {
  const pages = loadCorpus()
    .get('aws-documents')
    ?.map(({ document }) => document);
  expect(pages?.length).toBeGreaterThanOrEqual(120);
  expect(pages?.every((page) => /^(?:AWS IoT Core Developer|IAM User) Guide, "[^"]+"$/.test(page ?? ''))).toBe(true);
});
