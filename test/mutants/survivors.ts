/** Mutants that change nothing that anybody can see, each with the reason. They are not tried. */
export const EQUIVALENT: readonly { file: string; line: string; to: string; because: string }[] = [
  {
    file: 'src/brokers/direct/memory.ts',
    line: 'return ENTRY_BYTES + 2 * (key.length + principal.length);',
    to: '* -> /',
    because: 'It is an estimate; what holds is that there is a bound.',
  },
];
