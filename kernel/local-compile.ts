/**
 * Compiles a local TypeScript module. In: the text of a `.ts` file. Out: JavaScript of an ES module and a source map. Its
 * loops and waits are stoppable, as those of cells are. It checks no types and leaves all imports as they are.
 */
import ts from "typescript";
import { problem } from "../src/message.js";
import type { CellCode } from "./cell.js";
import { codeFrame } from "./code-frame.js";
import { folderOptions } from "./options.js";
import { stoppable } from "./stoppable.js";

/**
 * Compiles one module.
 *
 * @param source TypeScript
 * @param path where it lies; `.tsx` may hold JSX
 * @param notebookFolder whose tsconfig.json says how JSX is meant
 * @throws SyntaxError with the line in question when it cannot be parsed
 */
export function compileModule(source: string, path: string, notebookFolder: string): CellCode {
  const { jsx = ts.JsxEmit.ReactJSX, jsxFactory, jsxFragmentFactory, jsxImportSource } = folderOptions(notebookFolder);
  const { outputText, sourceMapText, diagnostics } = ts.transpileModule(source, {
    fileName: path,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      jsx,
      ...(jsxFactory === undefined ? {} : { jsxFactory }),
      ...(jsxFragmentFactory === undefined ? {} : { jsxFragmentFactory }),
      ...(jsxImportSource === undefined ? {} : { jsxImportSource }),
      sourceMap: true,
      removeComments: false,
    },
    transformers: { before: [makeStoppable] },
  });
  const first = diagnostics?.find(({ category }) => category === ts.DiagnosticCategory.Error);
  if (first) throw new SyntaxError(worded(first, source, path));
  return { code: outputText.replace(/\/\/# sourceMappingURL=.*\s*$/, ""), map: sourceMapText ?? "{}" };
}

function makeStoppable(context: ts.TransformationContext): (file: ts.SourceFile) => ts.SourceFile {
  const visit = (node: ts.Node): ts.Node => stoppable(node, context, visit, () => undefined);
  return (file) => ts.visitEachChild(file, visit, context);
}

function worded({ start = 0, length = 1, messageText }: ts.Diagnostic, source: string, path: string): string {
  const before = source.slice(0, start).split("\n");
  const place = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  const sentence = problem({
    cannot: `import ${path}`,
    found: `line ${place.line} with “${ts.flattenDiagnosticMessageText(messageText, "\n")}”`,
    expected: "TypeScript",
    fix: "correct the file and run the cell again",
  });
  return [sentence, ...codeFrame(source, place, length)].join("\n");
}
