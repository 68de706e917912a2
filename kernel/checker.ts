/**
 * Types of cells, by TypeScript's language service. In: cells in the order in which they run. Out: diagnostics in the
 * cell's own lines, completions, quick info. Each cell is a module; a line in front of it brings in what earlier cells
 * declared and this one does not, a line behind it exports what it declares. It compiles and runs nothing.
 */
import { join } from "node:path";
import ts from "typescript";
import { globalDeclarations } from "./globals.js";
import { type Binding, declaredNames, mentionedNames } from "./names.js";
import { cellOptions } from "./options.js";

/** One error of a cell. Line and column count from 1. */
export interface CellProblem {
  readonly line: number;
  readonly column: number;
  /** Characters to underline. */
  readonly length: number;
  /** `TS2322`. */
  readonly code: string;
  readonly message: string;
  /** Whether the cell may not run: for its syntax always, for its types unless the folder's tsconfig.json says `noEmitOnError: false`. */
  readonly stops: boolean;
}

/** Names that fit at a position. Offsets count UTF-16 units of the cell. */
export interface CellCompletions {
  readonly start: number;
  readonly end: number;
  readonly matches: readonly { readonly name: string; readonly kind: string }[];
}

interface CellFile {
  readonly text: string;
  readonly version: number;
  readonly sources: readonly string[];
}

interface KnownBinding extends Binding {
  readonly cell: string;
}

const MODULE_PREFIX = ".fledge-";
const GLOBALS_FILE = ".fledge.d.ts";
// The cell that is being checked or written; always the same path, so that TypeScript keeps what it knows of all others.
const EDITED = "edited";
// 1202: `import x = require("y")`, which cells can. 7016: package without types, any then. 7034, 7005: `let x;` that a later
// cell fills.
const TOLERATED = new Set([1202, 7016, 7034, 7005]);

/** Checks the cells of one session. */
export class CellChecker {
  readonly #folder: string;
  readonly #fallback: string;
  readonly #cells = new Map<string, CellFile>();
  readonly #bindings = new Map<string, KnownBinding>();
  readonly #service: ts.LanguageService;
  readonly #typesStop: boolean;
  #version = 0;

  /**
   * @param folder the notebook's folder, from which imports are looked up
   * @param packageFolder Fledge's own folder: types of Node, and imports that are not found from the notebook's folder
   */
  constructor(folder: string, packageFolder: string) {
    this.#folder = folder;
    this.#fallback = join(packageFolder, "cell.ts");
    const options = cellOptions(folder, packageFolder);
    this.#typesStop = options.noEmitOnError !== false;
    this.#service = ts.createLanguageService(this.#host(packageFolder, options));
  }

  /** Errors of a cell, in order; none when its first line is `// @ts-nocheck` and its syntax is right. */
  check(source: string): CellProblem[] {
    const path = this.#path(EDITED);
    const prefix = this.#put(source, mentionedNames(source));
    const syntax: readonly ts.Diagnostic[] = this.#service.getSyntacticDiagnostics(path);
    const isSyntax = syntax.length > 0 || /^\s*\/\/\s*@ts-nocheck\b/.test(source);
    const all = isSyntax ? syntax : this.#service.getSemanticDiagnostics(path);
    const stops = isSyntax || this.#typesStop;
    const problems = all.flatMap((diagnostic) => cellProblem(diagnostic, source, prefix, stops) ?? []);
    return problems.sort((a, b) => a.line - b.line || a.column - b.column);
  }

  /** Makes the declarations of the cell that was checked last known to those that follow, under a name of its own. */
  commit(source: string, cell: string): void {
    const checked = this.#cells.get(this.#path(EDITED));
    if (checked) this.#cells.set(this.#path(cell), checked);
    for (const binding of declaredNames(source)) this.#bindings.set(binding.name, { ...binding, cell });
    this.#forgetUnreachable();
  }

  /** Completions at an offset of a cell that is being written. */
  complete(source: string, offset: number): CellCompletions {
    const prefix = this.#put(source);
    const found = this.#service.getCompletionsAtPosition(this.#path(EDITED), prefix + offset, {});
    const span = found?.optionalReplacementSpan;
    const word = /[\w$]*$/.exec(source.slice(0, offset))?.[0] ?? "";
    const start = span ? span.start - prefix : offset - word.length;
    const end = span ? span.start + span.length - prefix : offset;
    const typed = source.slice(start, offset).toLowerCase();
    const matches = (found?.entries ?? [])
      .filter(({ name }) => name.toLowerCase().startsWith(typed))
      .sort((a, b) => compare(a.sortText, b.sortText) || compare(a.name, b.name))
      .map(({ name, kind }) => ({ name, kind }));
    return { start, end, matches };
  }

  /** Type and documentation of what stands at an offset, as text; undefined when nothing does. */
  describe(source: string, offset: number): string | undefined {
    const prefix = this.#put(source);
    const info = this.#service.getQuickInfoAtPosition(this.#path(EDITED), prefix + offset);
    const signature = ts.displayPartsToString(info?.displayParts);
    if (!info || signature === "any") return undefined; // "any" alone: a name that nothing declares
    const documentation = ts.displayPartsToString(info.documentation);
    const tags = (info.tags ?? []).map(({ name, text }) => `@${name} ${ts.displayPartsToString(text)}`);
    return [signature, documentation, ...tags].filter((part) => part !== "").join("\n\n");
  }

  /** Forgets all cells: the session that had their variables is gone. */
  reset(): void {
    this.#cells.clear();
    this.#bindings.clear();
    this.#version++;
  }

  // Stores the module of the edited cell. Returns the length of the line in front of the source.
  #put(source: string, mentioned?: ReadonlySet<string>): number {
    const declared = declaredNames(source);
    const own = new Set(declared.map(({ name }) => name));
    const used = [...this.#bindings.values()].filter(({ name }) => !own.has(name) && (mentioned?.has(name) ?? true));
    const front = `${used.map(broughtIn).join(" ")}\n`;
    const exported = declared.filter((binding) => !binding.exported).map(({ name }) => name);
    const text = `${front}${source}\nexport { ${exported.join(", ")} };\n`;
    const sources = used.map((binding) => this.#path(binding.cell));
    this.#cells.set(this.#path(EDITED), { text, version: ++this.#version, sources });
    return front.length;
  }

  #forgetUnreachable(): void {
    const reachable = new Set<string>();
    const mark = (path: string) => {
      if (reachable.has(path)) return;
      reachable.add(path);
      this.#cells.get(path)?.sources.forEach(mark);
    };
    for (const { cell } of this.#bindings.values()) mark(this.#path(cell));
    for (const path of [...this.#cells.keys()]) if (!reachable.has(path)) this.#cells.delete(path);
  }

  #path(cell: string): string {
    return join(this.#folder, `${MODULE_PREFIX}${cell}.ts`);
  }

  #host(packageFolder: string, options: ts.CompilerOptions): ts.LanguageServiceHost {
    const cells = this.#cells;
    const globals = join(this.#folder, GLOBALS_FILE);
    const declarations = globalDeclarations(packageFolder);
    const tslab = join(packageFolder, "dist", "kernel", "tslab-module.d.ts");
    const cache = ts.createModuleResolutionCache(this.#folder, (name) => name, options);
    const snapshots = new Map<string, ts.IScriptSnapshot>();
    const typings = new Map<string, ts.ResolvedTypeReferenceDirectiveWithFailedLookupLocations>();
    const moduleHost = {
      fileExists: (path: string) => cells.has(path) || path === globals || ts.sys.fileExists(path),
      readFile: (path: string) => (path === globals ? declarations : (cells.get(path)?.text ?? ts.sys.readFile(path))),
      directoryExists: ts.sys.directoryExists,
      getDirectories: ts.sys.getDirectories,
      ...(ts.sys.realpath ? { realpath: ts.sys.realpath } : {}),
    };
    const resolve = (name: string, from: string): ts.ResolvedModuleWithFailedLookupLocations => {
      if (name.startsWith(`./${MODULE_PREFIX}`)) {
        const resolvedFileName = join(this.#folder, `${name}.ts`);
        return { resolvedModule: { resolvedFileName, extension: ts.Extension.Ts, isExternalLibraryImport: false } };
      }
      if (name === "tslab") {
        return { resolvedModule: { resolvedFileName: tslab, extension: ts.Extension.Dts } };
      }
      const found = ts.resolveModuleName(name, from, options, moduleHost, cache);
      if (found.resolvedModule) return found;
      // What was missing may have been written or installed since the cache was asked first.
      const now = ts.resolveModuleName(name, from, options, moduleHost);
      if (now.resolvedModule || /^[./]/.test(name) || isInPackage(from)) return now;
      return ts.resolveModuleName(name, this.#fallback, options, moduleHost, cache);
    };
    // TypeScript asks for the cache, though its types do not say so; without it each check reads every package.json again.
    const withCache = { getModuleResolutionCache: () => cache };
    return {
      ...moduleHost,
      ...withCache,
      getCompilationSettings: () => options,
      getCurrentDirectory: () => this.#folder,
      getDefaultLibFileName: ts.getDefaultLibFilePath,
      getProjectVersion: () => String(this.#version),
      getScriptFileNames: () => [globals, this.#path(EDITED)],
      getScriptVersion: (path) => String(cells.get(path)?.version ?? fileVersion(path)),
      // TypeScript asks for every file at every check.
      getScriptSnapshot: (path) => {
        const known = snapshots.get(path);
        if (known) return known;
        const text = moduleHost.readFile(path);
        if (text === undefined) return undefined;
        const snapshot = ts.ScriptSnapshot.fromString(text);
        if (isInPackage(path)) snapshots.set(path, snapshot);
        return snapshot;
      },
      readDirectory: ts.sys.readDirectory,
      resolveTypeReferenceDirectiveReferences: (references, from) =>
        references.map((reference) => {
          const name = typeof reference === "string" ? reference : reference.fileName;
          const key = `${name} ${isInPackage(from) ? from : ""}`;
          const known = typings.get(key) ?? ts.resolveTypeReferenceDirective(name, from, options, moduleHost);
          if (known.resolvedTypeReferenceDirective) typings.set(key, known);
          return known;
        }),
      resolveModuleNameLiterals: (literals, from) => literals.map(({ text }) => resolve(text, from)),
    };
  }
}

function isInPackage(path: string): boolean {
  return path.includes("node_modules");
}

// Files of packages do not change while a session runs; local ones may be edited or built again.
function fileVersion(path: string): string {
  return isInPackage(path) ? "0" : String(ts.sys.getModifiedTime?.(path)?.getTime() ?? 0);
}

// A variable keeps its kind, so that assigning to it is checked; everything else may also be a type, so it is imported.
function broughtIn({ name, kind, cell }: KnownBinding): string {
  const module = JSON.stringify(`./${MODULE_PREFIX}${cell}`);
  return kind === "other"
    ? `import { ${name} } from ${module};`
    : `declare ${kind} ${name}: typeof import(${module}).${name};`;
}

function cellProblem(
  diagnostic: ts.Diagnostic,
  source: string,
  prefix: number,
  stops: boolean,
): CellProblem | undefined {
  if (TOLERATED.has(diagnostic.code) || diagnostic.start === undefined) return undefined;
  const start = diagnostic.start - prefix;
  if (start < 0 || start > source.length + 1) return undefined;
  const before = source.slice(0, start).split("\n");
  return {
    line: before.length,
    column: (before.at(-1)?.length ?? 0) + 1,
    length: diagnostic.length ?? 1,
    code: `TS${diagnostic.code}`,
    message: ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"),
    stops,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
