/**
 * TypeScript's options for cells. In: the notebook's folder. Out: Fledge's own options, with what the folder's tsconfig.json
 * says about strictness, libraries, JSX and whether code with type errors runs. What decides how code is emitted and how
 * modules are found stays ours, and so do checks for unused names: the next cell may use them.
 */
import { join } from "node:path";
import ts from "typescript";

const HONOURED = [
  "strict",
  "alwaysStrict",
  "exactOptionalPropertyTypes",
  "noFallthroughCasesInSwitch",
  "noImplicitAny",
  "noImplicitOverride",
  "noImplicitReturns",
  "noImplicitThis",
  "noPropertyAccessFromIndexSignature",
  "noUncheckedIndexedAccess",
  "strictBindCallApply",
  "strictBuiltinIteratorReturn",
  "strictFunctionTypes",
  "strictNullChecks",
  "strictPropertyInitialization",
  "useUnknownInCatchVariables",
  "allowUnreachableCode",
  "allowUnusedLabels",
  "noEmitOnError",
  "lib",
  "jsx",
  "jsxFactory",
  "jsxFragmentFactory",
  "jsxImportSource",
] as const;

/**
 * The options with which cells and local modules are checked.
 *
 * @param folder the notebook's folder; its own tsconfig.json counts, with what that extends, not one further up
 * @param packageFolder Fledge's own folder, which has the types of Node
 */
export function cellOptions(folder: string, packageFolder: string): ts.CompilerOptions {
  return {
    target: ts.ScriptTarget.ES2023,
    lib: ["lib.esnext.d.ts"],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    customConditions: ["node"],
    strict: true,
    skipLibCheck: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    resolveJsonModule: true,
    types: ["node"],
    typeRoots: [join(packageFolder, "node_modules", "@types")],
    ...folderOptions(folder),
  };
}

/** What the folder's tsconfig.json says and cells honour; nothing when there is none. */
export function folderOptions(folder: string): ts.CompilerOptions {
  const path = join(folder, "tsconfig.json");
  if (!ts.sys.fileExists(path)) return {};
  const { config } = ts.readConfigFile(path, ts.sys.readFile);
  // Which files the project has does not matter here, and looking for them may take long.
  const host: ts.ParseConfigHost = { ...ts.sys, readDirectory: () => [] };
  const { options } = ts.parseJsonConfigFileContent(config ?? {}, host, folder, undefined, path);
  return Object.fromEntries(
    HONOURED.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
}
