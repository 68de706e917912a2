/**
 * Makes code stoppable. In: TypeScript's syntax tree of a cell or of a local module. Out: the same tree with a test of the
 * interrupt flag at every loop head, and a wrapped `await`, `for await` and async function body. It changes nothing else;
 * what the calls do is interrupt.ts' matter.
 */
import ts from "typescript";
import { HOST_NAME } from "./channel.js";

const f = ts.factory;
const COUNTER = `${HOST_NAME}_turns`;

/**
 * One node, made stoppable.
 *
 * @param visit is applied to the children first
 * @param line the line of a node that waits, as an expression; undefined leaves the lines out
 */
export function stoppable(
  node: ts.Node,
  context: ts.TransformationContext,
  visit: (node: ts.Node) => ts.Node,
  line: (place: ts.Node) => ts.Expression | undefined,
): ts.Node {
  const visited = ts.visitEachChild(node, visit, context);
  if (ts.isAwaitExpression(visited)) {
    return f.updateAwaitExpression(visited, hostCall("await", visited.expression, ...some(line(node))));
  }
  if (isLoop(node) && isLoop(visited)) return withCheck(visited, node, line(node));
  if (isAsyncFunction(visited) && !isAmbient(visited)) return withTask(visited);
  return visited;
}

function withCheck(
  loop: ts.IterationStatement,
  original: ts.IterationStatement,
  line: ts.Expression | undefined,
): ts.Node {
  const isFor = ts.isForStatement(loop);
  const counted = isFor && loop.condition !== undefined && !callsSomething(original.statement) && letList(loop);
  const raised = f.createElementAccessExpression(hostMember("flag"), 0);
  // A plain test makes an innermost arithmetic loop up to 2.6 times slower, so those look every 1,024 turns.
  const turns = f.createParenthesizedExpression(
    f.createBinaryExpression(
      f.createPrefixUnaryExpression(ts.SyntaxKind.PlusPlusToken, f.createIdentifier(COUNTER)),
      ts.SyntaxKind.AmpersandToken,
      f.createNumericLiteral(1023),
    ),
  );
  const condition = counted
    ? f.createLogicalAnd(f.createStrictEquality(turns, f.createNumericLiteral(0)), raised)
    : raised;
  const check = f.createIfStatement(condition, f.createExpressionStatement(hostCall("stop")));
  const inner = ts.isBlock(loop.statement) ? loop.statement.statements : [loop.statement];
  const body = ts.setTextRange(f.createBlock([check, ...inner], true), loop.statement);
  if (isFor) {
    const counter = f.createVariableDeclaration(COUNTER, undefined, undefined, f.createNumericLiteral(0));
    const initializer = counted
      ? f.updateVariableDeclarationList(counted, [...counted.declarations, counter])
      : loop.initializer;
    return f.updateForStatement(loop, initializer, loop.condition, loop.incrementor, body);
  }
  if (ts.isForOfStatement(loop)) {
    const source = loop.awaitModifier ? hostCall("iterate", loop.expression, ...some(line)) : loop.expression;
    return f.updateForOfStatement(loop, loop.awaitModifier, loop.initializer, source, body);
  }
  if (ts.isForInStatement(loop)) return f.updateForInStatement(loop, loop.initializer, loop.expression, body);
  if (ts.isWhileStatement(loop)) return f.updateWhileStatement(loop, loop.expression, body);
  return ts.isDoStatement(loop) ? f.updateDoStatement(loop, body, loop.expression) : loop;
}

// `async (x) => { body }` → `async (x) => __fledge.task(async () => { body })`
function withTask(node: AsyncFunction): ts.Node {
  if (!node.body) return node;
  const call = hostCall(
    "task",
    f.createArrowFunction(
      [f.createModifier(ts.SyntaxKind.AsyncKeyword)],
      undefined,
      [],
      undefined,
      undefined,
      node.body,
    ),
  );
  if (ts.isArrowFunction(node)) {
    const { modifiers, typeParameters, parameters, type, equalsGreaterThanToken } = node;
    return f.updateArrowFunction(node, modifiers, typeParameters, parameters, type, equalsGreaterThanToken, call);
  }
  const body = f.createBlock([f.createReturnStatement(call)]);
  const { modifiers, asteriskToken, name, typeParameters, parameters, type } = node;
  if (ts.isMethodDeclaration(node)) {
    const { questionToken } = node;
    return f.updateMethodDeclaration(
      node,
      modifiers,
      asteriskToken,
      node.name,
      questionToken,
      typeParameters,
      parameters,
      type,
      body,
    );
  }
  const own = name as ts.Identifier | undefined; // only methods have other kinds of names
  return ts.isFunctionDeclaration(node)
    ? f.updateFunctionDeclaration(node, modifiers, asteriskToken, own, typeParameters, parameters, type, body)
    : f.updateFunctionExpression(node, node.modifiers, asteriskToken, own, typeParameters, parameters, type, body);
}

function some<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

type AsyncFunction = ts.FunctionDeclaration | ts.FunctionExpression | ts.ArrowFunction | ts.MethodDeclaration;

function isAsyncFunction(node: ts.Node): node is AsyncFunction {
  const isFunction =
    ts.isFunctionDeclaration(node) ||
    ts.isFunctionExpression(node) ||
    ts.isArrowFunction(node) ||
    ts.isMethodDeclaration(node);
  if (!isFunction || node.asteriskToken) return false;
  return node.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.AsyncKeyword) ?? false;
}

function isLoop(node: ts.Node): node is ts.IterationStatement {
  return ts.isIterationStatement(node, false);
}

function letList(loop: ts.ForStatement): ts.VariableDeclarationList | undefined {
  const list = loop.initializer;
  return list && ts.isVariableDeclarationList(list) && (list.flags & ts.NodeFlags.BlockScoped) === ts.NodeFlags.Let
    ? list
    : undefined;
}

function callsSomething(body: ts.Node): boolean {
  const calls = (node: ts.Node): boolean =>
    isLoop(node) ||
    ts.isCallExpression(node) ||
    ts.isNewExpression(node) ||
    ts.isAwaitExpression(node) ||
    (ts.forEachChild(node, (child) => calls(child) || undefined) ?? false);
  return calls(body);
}

/** Whether a declaration bears `declare`. */
export function isAmbient(node: ts.Node): boolean {
  return (
    ts.canHaveModifiers(node) &&
    (node.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.DeclareKeyword) ?? false)
  );
}

/** A member of the host object that compiled code finds. */
export function hostMember(name: string): ts.Expression {
  return f.createPropertyAccessExpression(f.createIdentifier(HOST_NAME), name);
}

/** A call of a member of the host object. */
export function hostCall(name: string, ...callArguments: ts.Expression[]): ts.CallExpression {
  return f.createCallExpression(hostMember(name), undefined, callArguments);
}
