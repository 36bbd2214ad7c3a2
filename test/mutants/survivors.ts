/** Mutants that change nothing that anybody can see, each with the reason. They are not tried. */
export const EQUIVALENT: readonly { file: string; line: string; to: string; because: string }[] = [
  {
    file: 'src/brokers/direct/memory.ts',
    line: 'return ENTRY_BYTES + 2 * (key.length + principal.length);',
    to: '* -> /',
    because: 'It is an estimate; what holds is that there is a bound.',
  },
  {
    file: 'src/policy/deciding/compile.ts',
    line: 'shared.set(key, index);',
    to: 'shared.set(key, index) -> undefined',
    because: 'Actions of one kind share an index to save memory; each would decide alike with one of its own.',
  },
  {
    file: 'src/policy/deciding/compile.ts',
    line: 'if (index.others.length > 0) this.scan(index.others, `${this.prefix}${index.type}${name}`, context, search);',
    to: '> -> >=',
    because: 'A scan of no statements finds nothing; the comparison saves making the text.',
  },
  {
    file: 'src/policy/deciding/compile.ts',
    line: 'if (!canBegin(tokens[0], beginning)) continue;',
    to: '!canBegin(tokens[0], beginning) -> false',
    because: 'It leaves out what could match none of the topics, before that is found by matching them.',
  },
  {
    file: 'src/policy/deciding/compile.ts',
    line: 'if (conditions.length > 0) {',
    to: '> -> >=',
    because: 'No condition at all holds, whether it is looked up or not.',
  },
  {
    file: 'src/policy/deciding/compile.ts',
    line: 'places.set(key, place);',
    to: 'places.set(key, place) -> undefined',
    because: 'Conditions that are written alike are kept once to save memory.',
  },
  {
    file: 'src/policy/deciding/compile.ts',
    line: 'return { codes: codes.length < FEW ? codes : Int32Array.from(codes), conditions: lists };',
    to: '< -> <=',
    because: 'Both kinds of list hold the same numbers.',
  },
  {
    file: 'src/policy/deciding/compile.ts',
    line: 'if (resource !== TRUE || order >= this.allow || this.deny !== NONE) return;',
    to: '>= -> >',
    because: 'A statement that is visited again is evaluated again, to the same.',
  },
  {
    file: 'src/policy/deciding/compile.ts',
    line: 'if (order >= this.deny) return;',
    to: '>= -> >',
    because: 'A statement that is visited again is evaluated again, to the same.',
  },
  {
    file: 'src/policy/deciding/compile.ts',
    line: 'else if (order < this.unknownDeny) this.unknownDeny = order;',
    to: '< -> <=',
    because: 'It is assigned what it is.',
  },
  {
    file: 'src/policy/deciding/decision.ts',
    line: 'if (principal === undefined) return subscribe;',
    to: 'principal === undefined -> false',
    because: 'Who is no principal may not subscribe, and has been answered; it is there for the types.',
  },
];
