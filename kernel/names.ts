/**
 * Names in a cell. In: TypeScript source. Out: what its top level declares, and every identifier that it mentions.
 * Purely syntactic: no types, no other cells.
 */
import ts from "typescript";

/** A top-level declaration of a cell. */
export interface Binding {
  readonly name: string;
  /** How a later cell sees it: an assignable variable, a constant, or anything that may also be a type. */
  readonly kind: "let" | "const" | "other";
  /** Whether the cell itself exports it. */
  readonly exported: boolean;
}

/** What the top level of a cell declares, `var` in nested blocks included; each name once. */
export function declaredNames(source: string): Binding[] {
  const found = new Map<string, Binding>();
  const add = (name: string, kind: Binding["kind"], exported: boolean) => {
    found.set(name, {
      name,
      kind: found.has(name) ? "other" : kind,
      exported: exported || (found.get(name)?.exported ?? false),
    });
  };
  const file = parse(source);
  for (const statement of file.statements) {
    const exported = isExported(statement);
    if (ts.isVariableStatement(statement)) {
      const kind = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0 ? "const" : "let";
      for (const { name } of statement.declarationList.declarations) {
        for (const each of boundNames(name)) add(each, kind, exported);
      }
    } else if (ts.isImportDeclaration(statement)) {
      for (const each of importedNames(statement.importClause)) add(each, "other", false);
    } else if (isNamedDeclaration(statement) && statement.name && ts.isIdentifier(statement.name)) {
      add(statement.name.text, "other", exported);
    } else for (const each of nestedVars(statement)) if (!found.has(each)) add(each, "let", false);
  }
  return [...found.values()];
}

/** Every identifier that a cell mentions. */
export function mentionedNames(source: string): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node) => {
    if (ts.isIdentifier(node)) names.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(parse(source));
  return names;
}

function parse(source: string): ts.SourceFile {
  return ts.createSourceFile("cell.ts", source, ts.ScriptTarget.ESNext, true);
}

type NamedDeclaration =
  | ts.FunctionDeclaration
  | ts.ClassDeclaration
  | ts.InterfaceDeclaration
  | ts.TypeAliasDeclaration
  | ts.EnumDeclaration
  | ts.ModuleDeclaration
  | ts.ImportEqualsDeclaration;

function isNamedDeclaration(node: ts.Node): node is NamedDeclaration {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isEnumDeclaration(node) ||
    ts.isModuleDeclaration(node) ||
    ts.isImportEqualsDeclaration(node)
  );
}

function isExported(node: ts.Node): boolean {
  return (
    ts.canHaveModifiers(node) &&
    (node.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword) ?? false)
  );
}

function boundNames(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? boundNames(element.name) : []));
}

function importedNames(clause: ts.ImportClause | undefined): string[] {
  if (!clause) return [];
  const names = clause.name ? [clause.name.text] : [];
  const bindings = clause.namedBindings;
  if (!bindings) return names;
  return ts.isNamespaceImport(bindings)
    ? [...names, bindings.name.text]
    : [...names, ...bindings.elements.map((element) => element.name.text)];
}

// `var` belongs to the cell even when it stands in a block.
function nestedVars(statement: ts.Statement): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node)) return;
    if (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.BlockScoped) === 0) {
      for (const { name } of node.declarations) names.push(...boundNames(name));
    }
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return names;
}
