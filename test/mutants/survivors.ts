/** Mutants that change nothing that anybody can see, each with the reason. They are not tried. */
export const EQUIVALENT: readonly { file: string; line: string; to: string; because: string }[] = [];
