import ts from 'typescript';

/** One change of a source file. */
export interface Mutant {
  readonly file: string;
  readonly start: number;
  readonly end: number;
  /** What stands there in place of what stood there. */
  readonly text: string;
}

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

/** Every mutant of a file: comparisons, conditions and constants turned round, and calls left out whose result nobody takes. */
export function mutantsOf(file: string, source: string): Mutant[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.ES2023, true);
  const mutants: Mutant[] = [];
  const change = (node: ts.Node, text: string): void => {
    mutants.push({ file, start: node.getStart(tree), end: node.getEnd(), text });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node)) return;
    if (ts.isBinaryExpression(node)) {
      const other = SWAPPED[node.operatorToken.kind];
      if (other !== undefined) change(node.operatorToken, other);
    } else if (node.kind === ts.SyntaxKind.TrueKeyword) change(node, 'false');
    else if (node.kind === ts.SyntaxKind.FalseKeyword) change(node, 'true');
    else if (ts.isIfStatement(node)) change(node.expression, 'false');
    else if (ts.isConditionalExpression(node)) change(node.condition, `!(${node.condition.getText(tree)})`);
    else if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
      change(node, node.operand.getText(tree));
    } else if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression)) {
      if (node.expression.expression.kind !== ts.SyntaxKind.SuperKeyword) change(node, ';');
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return mutants;
}

/** The mutant that puts one text in place of another, which stands in the file once. @throws Error where it does not. */
export function replacing(file: string, source: string, from: string, to: string): Mutant {
  const start = source.indexOf(from);
  if (start < 0 || source.includes(from, start + 1)) throw new Error(`${file} does not hold this once: ${from}`);
  return { file, start, end: start + from.length, text: to };
}
