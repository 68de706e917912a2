/**
 * Tells whether code that is being typed can run as it is. In: source. Out: complete, incomplete (with the indentation of
 * the next line) or invalid, as Jupyter's is_complete asks. Looks at syntax only.
 */
import ts from "typescript";

/** Answer to is_complete. */
export interface Completeness {
  readonly status: "complete" | "incomplete" | "invalid";
  /** For incomplete code: white space to start the next line with. */
  readonly indent: string;
}

// Unterminated template literal, unterminated comment: the parser reports them where they begin.
const OPEN_ENDED = new Set([1160, 1010]);
// Unterminated string literal: a line feed cannot mend it.
const HOPELESS = 1002;

/**
 * Judges source code.
 *
 * @example
 * completeness("for (const a of b) {"); // { status: "incomplete", indent: "  " }
 */
export function completeness(source: string): Completeness {
  const { diagnostics = [] } = ts.transpileModule(source, {
    reportDiagnostics: true,
    compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext },
  });
  if (diagnostics.length === 0) return { status: "complete", indent: "" };
  const end = source.trimEnd().length;
  const open = diagnostics.every(
    ({ code, start }) => OPEN_ENDED.has(code) || (code !== HOPELESS && (start ?? 0) >= end),
  );
  if (!open) return { status: "invalid", indent: "" };
  const lastLine = source.trimEnd().split("\n").at(-1) ?? "";
  const indent = /^\s*/.exec(lastLine)?.[0] ?? "";
  return { status: "incomplete", indent: /[{([]\s*$/.test(lastLine) ? `${indent}  ` : indent };
}
