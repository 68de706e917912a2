/**
 * Imports for cells. In: a specifier as written in a cell. Out: the module's namespace, by Node's own ES module loader.
 * A specifier is looked up from the notebook's folder first, then from Fledge's own package, so that `fledge` and what
 * Fledge depends on can be imported anywhere. It does not look at types.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { constants, Script } from "node:vm";

/** A module's namespace. */
export type Namespace = Readonly<Record<string, unknown>>;

type Importer = (specifier: string) => Promise<Namespace>;

/** What a cell's `import` and `require` are compiled to. */
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
 */
export function cellModules(folder: string, fallbackFolder: string): CellModules {
  const importers = [folder, fallbackFolder].map((base) => importerFrom(base));
  const requires = [folder, fallbackFolder].map((base) => createRequire(join(base, "cell.js")));
  return {
    import: async (specifier) => {
      const json = specifier.endsWith(".json") && requires.find((require) => resolves(require, specifier));
      if (json) return { default: JSON.parse(readFileSync(json.resolve(specifier), "utf8")) };
      let first: unknown;
      for (const importer of importers) {
        try {
          return withDefaultMembers(await importer(specifier));
        } catch (error) {
          first ??= error;
          if (!isNotFound(error, specifier)) throw error;
        }
      }
      throw first;
    },
    require: (specifier) => {
      const found = requires.find((require) => resolves(require, specifier)) ?? requires[0];
      return found?.(specifier);
    },
    meta: { url: pathToFileURL(join(folder, "cell.ts")).href, dirname: folder, filename: join(folder, "cell.ts") },
  };
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
