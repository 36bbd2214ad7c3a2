/** What matrix-reporter.js reads of Jest's AggregatedResult. */
export interface Results {
  readonly testResults: readonly {
    readonly testFilePath: string;
    readonly failureMessage?: string | null;
    readonly testResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly status: string;
    }[];
  }[];
}

export function matrix(results: Results): string;
