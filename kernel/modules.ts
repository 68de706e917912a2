/**
 * Imports for cells. In: a specifier as written in a cell. Out: the module's namespace, by Node's own ES module loader.
 * A specifier is looked up from the notebook's folder first, then from Fledge's own package, so that `fledge` and what
 * Fledge depends on can be imported anywhere; `tslab` is ours. Local TypeScript goes to local-modules.ts. It does not look at types.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { constants, Script } from "node:vm";
import { LocalModules, type LocalModulesHost, localTypeScript } from "./local-modules.js";
import * as tslab from "./tslab-module.js";

/** A module's namespace. */
export type Namespace = Readonly<Record<string, unknown>>;

type Importer = (specifier: string) => Promise<Namespace>;

/** What a cell's `import` is compiled to, and its `require`. */
export interface CellModules {
  import(specifier: string): Promise<Namespace>;
  require(specifier: string): unknown;
  /** What `import.meta` is in a cell. */
  readonly meta: Readonly<Record<string, string>>;
}

/**
 * Makes the importers of one session.
 *
 * @param folder the notebook's folder
 * @param fallbackFolder where to look when a package is not found from there
 * @param onCompiled is told of every local TypeScript module before it runs
 */
export function cellModules(
  folder: string,
  fallbackFolder: string,
  onCompiled: LocalModulesHost["onCompiled"],
): CellModules {
  const importers = new Map<string, Importer>();
  const requires = [folder, fallbackFolder].map((base) => createRequire(join(base, "cell.js")));
  const importFrom = async (base: string, specifier: string): Promise<Namespace> => {
    if (specifier === "tslab") return tslab;
    const json = specifier.endsWith(".json") && jsonPath([base, fallbackFolder], specifier);
    if (json) return { default: JSON.parse(readFileSync(json, "utf8")) };
    let first: unknown;
    for (const from of new Set([base, fallbackFolder])) {
      const importer = importers.get(from) ?? importerFrom(from);
      importers.set(from, importer);
      try {
        return withDefaultMembers(await importer(specifier));
      } catch (error) {
        first ??= error;
        if (!isNotFound(error, specifier)) throw error;
      }
    }
    throw first;
  };
  const local = new LocalModules({ folder, importFrom, onCompiled });
  return {
    import: async (specifier) => {
      const path = localTypeScript(folder, specifier);
      return path === undefined ? importFrom(folder, specifier) : local.import(path);
    },
    require: (specifier) => {
      if (specifier === "tslab") return tslab;
      const found = requires.find((require) => resolves(require, specifier)) ?? requires[0];
      return found?.(specifier);
    },
    meta: { url: pathToFileURL(join(folder, "cell.ts")).href, dirname: folder, filename: join(folder, "cell.ts") },
  };
}

function jsonPath(folders: readonly string[], specifier: string): string | undefined {
  const require = folders.map((base) => createRequire(join(base, "cell.js"))).find((each) => resolves(each, specifier));
  return require?.resolve(specifier);
}

// import() of a script whose file lies in `folder` resolves from there, with all rules of ES modules.
function importerFrom(folder: string): Importer {
  return new Script("(specifier) => import(specifier)", {
    filename: join(folder, "cell.js"),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }).runInThisContext();
}

// Names that Node did not find in a CommonJS module are taken from its default export, as bundlers do.
function withDefaultMembers(namespace: Namespace): Namespace {
  const whole = namespace.default;
  if (typeof whole !== "object" || whole === null || Object.keys(namespace).some((name) => name !== "default")) {
    return namespace;
  }
  return { ...whole, default: whole };
}

function isNotFound(error: unknown, specifier: string): boolean {
  if (!(error instanceof Error) || !("code" in error) || /^[./]|^[a-z]+:/.test(specifier)) return false;
  const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
  return error.code === "ERR_MODULE_NOT_FOUND" && error.message.includes(`'${name}'`);
}

function resolves(require: NodeJS.Require, specifier: string): boolean {
  try {
    require.resolve(specifier);
    return true;
  } catch {
    return false;
  }
}
