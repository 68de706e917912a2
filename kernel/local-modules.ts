/**
 * Local TypeScript modules for cells. In: the path of a `.ts` file. Out: the namespace of it as an ES module, with all that
 * it imports. A file that was edited is compiled and run again at the next import, and so are those that import it; the
 * others stay as they are. What is not TypeScript is left to Node's own loader. It checks no types.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, extname, isAbsolute, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
// Named imports of what only a flag brings would keep this file from loading without it.
import vm, { type Module } from "node:vm";
import type { CellCode } from "./cell.js";
import type { Namespace } from "./modules.js";

/** What local modules need from their session. */
export interface LocalModulesHost {
  /** The notebook's folder. */
  readonly folder: string;
  /** Imports what is not local TypeScript, looked up from a folder. */
  importFrom(folder: string, specifier: string): Promise<Namespace>;
  /** Is told of every module before it runs, for its tracebacks. @param name as frames show it */
  onCompiled(name: string, path: string, source: string, code: CellCode): void;
}

interface LocalModule {
  readonly text: string;
  readonly module: vm.SourceTextModule;
  /** Paths of the local modules that it imports. */
  readonly imports: Set<string>;
  evaluation: Promise<unknown> | undefined;
}

// As TypeScript resolves: what an import writes → what the file is called.
const SOURCES: Readonly<Record<string, readonly string[]>> = {
  ".js": [".ts", ".tsx"],
  ".mjs": [".mts"],
  "": [".ts", ".tsx", "/index.ts"],
};

/**
 * The TypeScript file that a specifier means.
 *
 * @param folder folder of the importing file
 * @returns its path; undefined when it means none: a package, JavaScript, JSON, or nothing that exists
 */
export function localTypeScript(folder: string, specifier: string): string | undefined {
  if (!/^(\.{0,2}\/|file:)/.test(specifier) && !isAbsolute(specifier)) return undefined;
  const path = specifier.startsWith("file:") ? fileURLToPath(specifier) : resolve(folder, specifier);
  const extension = extname(path);
  if (/^\.m?tsx?$/.test(extension)) return isFile(path) ? path : undefined;
  if (isFile(path)) return undefined;
  const known = extension in SOURCES ? extension : ""; // `./a.b` may mean `./a.b.ts`
  const stem = known === "" ? path : path.slice(0, -known.length);
  return SOURCES[known]?.map((ending) => stem + ending).find(isFile);
}

/** The local modules of one session. */
export class LocalModules {
  readonly #host: LocalModulesHost;
  readonly #modules = new Map<string, LocalModule>();
  #linking: Promise<unknown> = Promise.resolve();
  #compiled = 0;

  constructor(host: LocalModulesHost) {
    this.#host = host;
  }

  /**
   * Imports a module, from its present text.
   *
   * @param path an existing TypeScript file
   * @throws SyntaxError when it or what it imports cannot be parsed, and whatever the modules throw
   */
  async import(path: string): Promise<Namespace> {
    try {
      // One graph after the other: a module that is still being linked cannot become part of another graph.
      const linked = this.#linking.then(() => this.#link(path));
      this.#linking = linked.catch(() => undefined);
      const local = await linked;
      local.evaluation ??= local.module.evaluate();
      await local.evaluation;
      return local.module.namespace as Namespace;
    } catch (error) {
      this.#forgetFailed();
      throw error;
    }
  }

  async #link(path: string): Promise<LocalModule> {
    this.#forgetEdited();
    const local = await this.#load(path);
    if (local.module.status === "unlinked") {
      await local.module.link((specifier, from) => this.#imported(fromPath(from.identifier), specifier));
    }
    return local;
  }

  async #load(path: string): Promise<LocalModule> {
    const known = this.#modules.get(path);
    if (known) return known;
    const { compileModule } = await import("./local-compile.js"); // brings TypeScript, which most sessions never need here
    const text = readFileSync(path, "utf8");
    const code = compileModule(text, path, this.#host.folder);
    const identifier = `${path}?${++this.#compiled}`;
    this.#host.onCompiled(identifier, path, text, code);
    const module = new vm.SourceTextModule(code.code, {
      identifier,
      initializeImportMeta: (meta) => {
        Object.assign(meta, { url: pathToFileURL(path).href, dirname: dirname(path), filename: path });
      },
      importModuleDynamically: async (specifier) => {
        const target = localTypeScript(dirname(path), specifier);
        const namespace = target === undefined ? this.#host.importFrom(dirname(path), specifier) : this.import(target);
        return (await namespace) as unknown as Module; // Node takes a namespace as well; its types do not say so
      },
    });
    const again = this.#modules.get(path); // two imports of one file in one graph
    if (again) return again;
    const local = { text, module, imports: new Set<string>(), evaluation: undefined };
    this.#modules.set(path, local);
    return local;
  }

  async #imported(from: string, specifier: string): Promise<Module> {
    const target = localTypeScript(dirname(from), specifier);
    if (target !== undefined) {
      this.#modules.get(from)?.imports.add(target);
      return (await this.#load(target)).module;
    }
    const namespace = await this.#host.importFrom(dirname(from), specifier);
    const names = Object.keys(namespace);
    return new vm.SyntheticModule(names, function (this: vm.SyntheticModule) {
      for (const name of names) this.setExport(name, namespace[name]);
    });
  }

  #forgetEdited(): void {
    const edited = [...this.#modules].filter(
      ([path, { text }]) => !isFile(path) || readFileSync(path, "utf8") !== text,
    );
    const forget = (path: string) => {
      if (!this.#modules.delete(path)) return;
      for (const [importer, { imports }] of [...this.#modules]) if (imports.has(path)) forget(importer);
    };
    for (const [path] of edited) forget(path);
  }

  // What failed is tried again at the next import.
  #forgetFailed(): void {
    for (const [path, { module }] of [...this.#modules]) {
      if (module.status !== "evaluated" && module.status !== "evaluating") this.#modules.delete(path);
    }
  }
}

function fromPath(identifier: string): string {
  return identifier.replace(/\?\d+$/, "");
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}
