/**
 * Compiles a cell. In: TypeScript as the user wrote it. Out: JavaScript for the inspector's REPL mode and a source map.
 * Top-level declarations become `let` (REPL mode can only redeclare those), imports become calls of the host, the last
 * expression becomes the result, and interrupts are compiled in (stoppable.ts). It checks no types.
 */
import ts from "typescript";
import { hostCall, hostMember, isAmbient, stoppable } from "./stoppable.js";

/** JavaScript of a cell. */
export interface CellCode {
  readonly code: string;
  /** Source map, version 3, JSON. */
  readonly map: string;
}

const f = ts.factory;

/**
 * Compiles a cell or, for user expressions, a single expression.
 *
 * @param source TypeScript without syntax errors
 * @param fileName name that stacks show, such as `cell-3.ts`
 * @example
 * compileCell("const a: number = 1; a + 1", "cell-1.ts").code; // "use strict"; let a = 1; __fledge.result(a + 1);
 */
export function compileCell(source: string, fileName: string): CellCode {
  const { outputText, sourceMapText } = ts.transpileModule(source, {
    fileName,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      sourceMap: true,
      removeComments: false,
    },
    transformers: { before: [prepareCell], after: [finishScript] },
  });
  return { code: outputText.replace(/\/\/# sourceMappingURL=.*\s*$/, ""), map: sourceMapText ?? "{}" };
}

// ---- before TypeScript's own transformations: the cell still has its types ----

function prepareCell(context: ts.TransformationContext): (file: ts.SourceFile) => ts.SourceFile {
  return (file) => {
    const visit = (node: ts.Node): ts.Node => visitNode(node, file, context, visit);
    const imports: ts.Statement[] = [];
    const hoisted: ts.Statement[] = [];
    const rest: ts.Statement[] = [];
    const last = file.statements.at(-1);
    const vars = file.statements.flatMap((statement) => varNames(statement));
    if (vars.length > 0) hoisted.push(letsWithoutValue(vars));
    for (const original of file.statements) {
      const statement = vars.length > 0 ? withoutVars(original, context) : original;
      if (ts.isImportDeclaration(statement)) imports.push(...importStatements(statement));
      else if (ts.isFunctionDeclaration(statement) && statement.name && !isAmbient(statement)) {
        if (statement.body) hoisted.push(functionBinding(statement, statement.name, visit));
      } else {
        const own = withoutExport(statement);
        if (own) rest.push(original === last ? resultStatement(own, visit) : topLevelStatement(own, visit));
      }
    }
    return f.updateSourceFile(file, [...imports, ...hoisted, ...rest]);
  };
}

// `import d, { a as b } from "x"` → `let { default: d, a: b } = await __fledge.import("x")`
function importStatements(declaration: ts.ImportDeclaration): ts.Statement[] {
  const clause = declaration.importClause;
  const namespace = () => f.createAwaitExpression(hostCall("import", declaration.moduleSpecifier));
  const at = <T extends ts.Node>(node: T) => ts.setTextRange(node, declaration);
  if (!clause) return [at(f.createExpressionStatement(namespace()))];
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return [];
  const elements: ts.BindingElement[] = [];
  const statements: ts.Statement[] = [];
  const bindings = clause.namedBindings;
  if (clause.name) elements.push(f.createBindingElement(undefined, "default", clause.name));
  if (bindings && ts.isNamedImports(bindings)) {
    for (const { name, propertyName, isTypeOnly } of bindings.elements) {
      if (!isTypeOnly) elements.push(f.createBindingElement(undefined, propertyName ?? name.text, name));
    }
  }
  if (elements.length > 0) statements.push(at(letStatement(f.createObjectBindingPattern(elements), namespace())));
  if (bindings && ts.isNamespaceImport(bindings)) statements.push(at(letStatement(bindings.name, namespace())));
  return statements;
}

function functionBinding(
  declaration: ts.FunctionDeclaration,
  name: ts.Identifier,
  visit: (node: ts.Node) => ts.Node,
): ts.Statement {
  const { asteriskToken, typeParameters, parameters, type, body } = declaration;
  const modifiers = declaration.modifiers?.filter((modifier) => modifier.kind === ts.SyntaxKind.AsyncKeyword);
  const expression = ts.setTextRange(
    f.createFunctionExpression(
      modifiers,
      asteriskToken,
      undefined,
      typeParameters,
      parameters,
      type,
      body ?? f.createBlock([]),
    ),
    declaration,
  );
  return ts.setTextRange(letStatement(name, visit(expression) as ts.Expression), declaration);
}

function withoutExport(statement: ts.Statement): ts.Statement | undefined {
  if (ts.isExportDeclaration(statement)) return undefined;
  if (ts.isExportAssignment(statement)) {
    return ts.setTextRange(f.createExpressionStatement(statement.expression), statement);
  }
  if (ts.isImportEqualsDeclaration(statement) && ts.isExternalModuleReference(statement.moduleReference)) {
    return letStatement(statement.name, hostCall("require", statement.moduleReference.expression));
  }
  const keep = (modifier: ts.ModifierLike): modifier is ts.Modifier =>
    modifier.kind !== ts.SyntaxKind.ExportKeyword && modifier.kind !== ts.SyntaxKind.DefaultKeyword;
  if (!ts.canHaveModifiers(statement) || !statement.modifiers?.some((modifier) => !keep(modifier))) return statement;
  if (ts.isVariableStatement(statement)) {
    return f.updateVariableStatement(statement, statement.modifiers.filter(keep), statement.declarationList);
  }
  if (ts.isClassDeclaration(statement)) {
    const { name, typeParameters, heritageClauses, members } = statement;
    const modifiers = statement.modifiers.filter((modifier) => ts.isDecorator(modifier) || keep(modifier));
    return f.updateClassDeclaration(statement, modifiers, name, typeParameters, heritageClauses, members);
  }
  if (ts.isEnumDeclaration(statement)) {
    return f.updateEnumDeclaration(statement, statement.modifiers.filter(keep), statement.name, statement.members);
  }
  if (ts.isModuleDeclaration(statement)) {
    return f.updateModuleDeclaration(statement, statement.modifiers.filter(keep), statement.name, statement.body);
  }
  return statement; // types leave no trace
}

function topLevelStatement(statement: ts.Statement, visit: (node: ts.Node) => ts.Node): ts.Statement {
  if (!ts.isVariableStatement(statement) || isAmbient(statement) || isUsing(statement.declarationList)) {
    return visit(statement) as ts.Statement;
  }
  const list = statement.declarationList;
  const declarations = list.declarations.map((declaration) => visit(declaration) as ts.VariableDeclaration);
  const own = ts.setTextRange(f.createVariableDeclarationList(declarations, ts.NodeFlags.Let), list);
  return f.updateVariableStatement(statement, statement.modifiers, own);
}

function resultStatement(statement: ts.Statement, visit: (node: ts.Node) => ts.Node): ts.Statement {
  if (!ts.isExpressionStatement(statement)) return topLevelStatement(statement, visit);
  return f.updateExpressionStatement(statement, hostCall("result", visit(statement.expression) as ts.Expression));
}

// ---- `var`: declared once for the cell, wherever it stands ----

// `for (var i = 0; …)` → `let i; for (i = 0; …)`. Patterns are left alone; at the top level they become `let` like the rest.
function withoutVars(statement: ts.Statement, context: ts.TransformationContext): ts.Statement {
  const visit = (node: ts.Node): ts.Node | undefined => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node)) return node;
    if (ts.isVariableStatement(node) && isSimpleVar(node.declarationList) && !isAmbient(node)) {
      const assignments = varAssignments(node.declarationList);
      return ts.setTextRange(assignments ? f.createExpressionStatement(assignments) : f.createEmptyStatement(), node);
    }
    if (ts.isForStatement(node) && isSimpleVar(node.initializer)) {
      const { condition, incrementor } = node;
      const body = ts.visitNode(node.statement, visit, ts.isStatement);
      return f.updateForStatement(
        node,
        varAssignments(node.initializer),
        condition,
        incrementor,
        body ?? node.statement,
      );
    }
    if ((ts.isForOfStatement(node) || ts.isForInStatement(node)) && isSimpleVar(node.initializer)) {
      const name = node.initializer.declarations[0]?.name as ts.Identifier;
      const body = ts.visitNode(node.statement, visit, ts.isStatement) ?? node.statement;
      return ts.isForOfStatement(node)
        ? f.updateForOfStatement(node, node.awaitModifier, name, node.expression, body)
        : f.updateForInStatement(node, name, node.expression, body);
    }
    return ts.visitEachChild(node, visit, context);
  };
  return visit(statement) as ts.Statement;
}

function varNames(statement: ts.Statement): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node) || isAmbient(node)) return;
    if (isSimpleVar(node)) names.push(...node.declarations.map(({ name }) => (name as ts.Identifier).text));
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return names;
}

function isSimpleVar(node: ts.Node | undefined): node is ts.VariableDeclarationList {
  return (
    node !== undefined &&
    ts.isVariableDeclarationList(node) &&
    (node.flags & ts.NodeFlags.BlockScoped) === 0 &&
    node.declarations.every(({ name }) => ts.isIdentifier(name))
  );
}

function varAssignments({ declarations }: ts.VariableDeclarationList): ts.Expression | undefined {
  const assignments = declarations.flatMap(({ name, initializer }) =>
    initializer ? [f.createAssignment(name as ts.Identifier, initializer)] : [],
  );
  const [first, ...others] = assignments;
  return first && others.reduce<ts.Expression>((left, right) => f.createComma(left, right), first);
}

function letsWithoutValue(names: readonly string[]): ts.Statement {
  const declarations = [...new Set(names)].map((name) => f.createVariableDeclaration(name));
  return f.createVariableStatement(undefined, f.createVariableDeclarationList(declarations, ts.NodeFlags.Let));
}

// ---- anywhere in the cell ----

function visitNode(
  node: ts.Node,
  file: ts.SourceFile,
  context: ts.TransformationContext,
  visit: (node: ts.Node) => ts.Node,
): ts.Node {
  const line = (place: ts.Node) =>
    f.createNumericLiteral(file.getLineAndCharacterOfPosition(place.pos < 0 ? 0 : place.getStart(file)).line + 1);
  const visited = stoppable(node, context, visit, line);
  if (ts.isCallExpression(visited) && visited.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return ts.setTextRange(hostCall("import", ...visited.arguments.slice(0, 1)), visited);
  }
  if (ts.isMetaProperty(visited) && visited.keywordToken === ts.SyntaxKind.ImportKeyword) return hostMember("meta");
  return visited;
}

// ---- after TypeScript's own transformations: enums and namespaces have become `var`, imports have gone ----

function finishScript(): (file: ts.SourceFile) => ts.SourceFile {
  return (file) => {
    const statements = file.statements
      .filter((statement) => !ts.isExportDeclaration(statement))
      .map((statement) => {
        if (!ts.isVariableStatement(statement)) return statement;
        const list = statement.declarationList;
        if ((list.flags & ts.NodeFlags.BlockScoped) !== 0) return statement;
        const own = ts.setTextRange(f.createVariableDeclarationList(list.declarations, ts.NodeFlags.Let), list);
        return f.updateVariableStatement(statement, statement.modifiers, own);
      });
    return f.updateSourceFile(file, statements);
  };
}

// ---- small parts ----

function isUsing(list: ts.VariableDeclarationList): boolean {
  return (list.flags & ts.NodeFlags.Using) === ts.NodeFlags.Using;
}

function letStatement(name: ts.BindingName, initializer: ts.Expression): ts.Statement {
  const declaration = f.createVariableDeclaration(name, undefined, undefined, initializer);
  return f.createVariableStatement(undefined, f.createVariableDeclarationList([declaration], ts.NodeFlags.Let));
}
