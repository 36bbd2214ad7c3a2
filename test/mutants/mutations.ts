import ts from 'typescript';

/** One change of a source file. */
export interface Mutant {
  readonly file: string;
  readonly line: number;
  /** The source line, trimmed, in which it stands. */
  readonly within: string;
  readonly from: string;
  /** What stands there in place of it. */
  readonly to: string;
}

/** A mutant that is asked for by name: `from` is an expression, or a call that is a statement, which stands in the file once. */
export type Named = Pick<Mutant, 'file' | 'from' | 'to'>;

const SWAPPED: Readonly<Partial<Record<ts.SyntaxKind, string>>> = {
  [ts.SyntaxKind.LessThanToken]: '<=',
  [ts.SyntaxKind.LessThanEqualsToken]: '<',
  [ts.SyntaxKind.GreaterThanToken]: '>=',
  [ts.SyntaxKind.GreaterThanEqualsToken]: '>',
  [ts.SyntaxKind.EqualsEqualsEqualsToken]: '!==',
  [ts.SyntaxKind.ExclamationEqualsEqualsToken]: '===',
  [ts.SyntaxKind.AmpersandAmpersandToken]: '||',
  [ts.SyntaxKind.BarBarToken]: '&&',
  [ts.SyntaxKind.MinusToken]: '+',
  [ts.SyntaxKind.AsteriskToken]: '/',
};

/**
 * Every mutant of a file, and its text with all of them in it: comparisons, conditions and constants turned round, and calls
 * left out whose result nobody takes. Where mutant `n` could stand, the text asks `__mutant(n)`; numbers go up from `first`.
 * @throws Error where a named mutant does not stand there once
 */
export function withMutants(
  file: string,
  source: string,
  first: number,
  named: readonly Named[] = [],
): { readonly mutants: readonly Mutant[]; readonly text: string } {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.ES2023, true);
  const mutants: Mutant[] = [];
  const found = new Map<Named, number>();

  /** What a node could be in place of what it is; `shown` is how the change is told. */
  const changes = (node: ts.Node): { to: string; shown: readonly [string, string] }[] => {
    const text = node.getText(tree);
    const whole = (to: string): { to: string; shown: readonly [string, string] } => ({ to, shown: [text, to] });
    if (ts.isBinaryExpression(node)) {
      const other = SWAPPED[node.operatorToken.kind];
      if (other === undefined) return [];
      const to = `(${node.left.getText(tree)}) ${other} (${node.right.getText(tree)})`;
      return [{ to, shown: [node.operatorToken.getText(tree), other] }];
    }
    if (node.kind === ts.SyntaxKind.TrueKeyword) return [whole('false')];
    if (node.kind === ts.SyntaxKind.FalseKeyword) return [whole('true')];
    if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
      return [whole(node.operand.getText(tree))];
    }
    if (isCall(node)) return node.expression.kind === ts.SyntaxKind.SuperKeyword ? [] : [whole('undefined')];
    return [];
  };
  const isCall = (node: ts.Node): node is ts.CallExpression =>
    ts.isCallExpression(node) && ts.isExpressionStatement(node.parent);
  const ofParent = (node: ts.Node): { to: string; shown: readonly [string, string] }[] => {
    if (ts.isSourceFile(node)) return [];
    const text = node.getText(tree);
    if (ts.isIfStatement(node.parent) && node.parent.expression === node)
      return [{ to: 'false', shown: [text, 'false'] }];
    // The other way round is what a comparison, or a negation, becomes by itself.
    const turned = ts.isConditionalExpression(node.parent) && node.parent.condition === node;
    return turned && changes(node).length === 0 ? [{ to: `!(${text})`, shown: [text, `!(${text})`] }] : [];
  };

  const render = (node: ts.Node): string => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node)) return node.getText(tree);
    let text = '';
    let at = node.getStart(tree);
    ts.forEachChild(node, (child) => {
      const start = child.getStart(tree);
      // A shorthand property and its name are one text.
      if (start < at) return;
      text += source.slice(at, start) + render(child);
      at = child.getEnd();
    });
    text += source.slice(at, node.getEnd());
    const asked = named.filter(({ from }) => ts.isExpression(node) && node.getText(tree) === from);
    for (const one of asked) found.set(one, (found.get(one) ?? 0) + 1);
    const all = [
      ...changes(node),
      ...ofParent(node),
      ...asked.map(({ from, to }) => ({ to, shown: [from, to] as const })),
    ];
    for (const { to, shown } of all) {
      const start = node.getStart(tree);
      const [from, changed] = shown;
      const begin = source.lastIndexOf('\n', start) + 1;
      const within = source.slice(begin, source.indexOf('\n', start)).trim();
      const line = tree.getLineAndCharacterOfPosition(start).line + 1;
      text = `(__mutant(${first + mutants.length}) ? ${to} : ${text})`;
      mutants.push({ file, line, within, from, to: changed });
    }
    return text;
  };

  const text = source.slice(0, tree.getStart(tree)) + render(tree);
  for (const one of named) {
    if (found.get(one) !== 1) throw new Error(`${file} does not hold this expression once: ${one.from}`);
  }
  return { mutants, text };
}
