/**
 * What the project tests look at: the project's own files, and what each TypeScript file imports and declares. In: names of
 * top-level folders. Out: paths relative to the root with "/" on every platform, and facts read by TypeScript's own parser.
 * It compiles nothing and judges nothing.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import ts from "typescript";
import { packageRoot } from "../../src/paths.js";

/** All files below the given folders whose name ends in one of the extensions, sorted. */
export function filesBelow(folders: readonly string[], extensions: readonly string[]): string[] {
  const root = packageRoot();
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((path) =>
        posix.join(folder, path.replaceAll("\\", "/")),
      ),
    )
    .filter((path) => extensions.some((extension) => path.endsWith(extension)))
    .sort();
}

/** The files that git tracks, or undefined outside a git work tree (an unpacked archive). */
export function trackedFiles(): string[] | undefined {
  try {
    const list = execFileSync("git", ["ls-files", "-z"], { cwd: packageRoot(), encoding: "utf8", stdio: "pipe" });
    return list.split("\0").filter((path) => path !== "" && existsSync(join(packageRoot(), path)));
  } catch {
    return undefined;
  }
}

/** The text of a file of the project. */
export function textOf(path: string): string {
  return readFileSync(join(packageRoot(), path), "utf8");
}

/** What a TypeScript file says about itself. */
export interface SourceFacts {
  readonly path: string;
  /** Where its imports lead: "src/view/chart.ts" for the project's own, the bare name for packages. Types included. */
  readonly imports: readonly string[];
  /** Every string and template literal, import specifiers included; of a template with values, the part before the first. */
  readonly strings: readonly string[];
  /** Names declared with `let` or `var` outside any function. */
  readonly moduleVariables: readonly string[];
  readonly lines: number;
}

/** Reads one TypeScript file. */
export function factsOf(path: string, text: string = textOf(path)): SourceFacts {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports = ts
    .preProcessFile(text, true, true)
    .importedFiles.map(({ fileName }) => resolveImport(path, fileName));
  const strings: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node)) strings.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { path, imports, strings, moduleVariables: moduleVariables(source), lines: text.split("\n").length - 1 };
}

function resolveImport(from: string, specifier: string): string {
  if (!specifier.startsWith(".")) return specifier;
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, ".ts");
}

function moduleVariables(source: ts.SourceFile): string[] {
  return source.statements
    .filter(ts.isVariableStatement)
    .filter(({ declarationList }) => (declarationList.flags & ts.NodeFlags.BlockScoped) !== ts.NodeFlags.Const)
    .filter(({ modifiers }) => !modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword))
    .flatMap(({ declarationList }) => declarationList.declarations.map(({ name }) => name.getText(source)));
}
