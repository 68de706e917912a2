/**
 * Shows a place in a cell: the line, one line around it, and a caret. In: source and position. Out: lines of text.
 */

/** A place in a source text. Line and column count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/**
 * The lines around a position, with line numbers, an arrow and a caret.
 *
 * @param length how many characters the caret line underlines, at least 1
 * @example
 * codeFrame("const a = 1;\na.b.c", { line: 2, column: 3 });
 * // ["  1 | const a = 1;", "> 2 | a.b.c", "    |   ^"]
 */
export function codeFrame(source: string, position: Position, length = 1): string[] {
  const lines = source.split(/\r?\n/);
  const width = String(position.line + 1).length;
  const shown: string[] = [];
  for (let line = Math.max(1, position.line - 1); line <= Math.min(lines.length, position.line + 1); line++) {
    const text = lines[line - 1] ?? "";
    const here = line === position.line;
    shown.push(`${here ? ">" : " "} ${String(line).padStart(width)} | ${text}`);
    if (!here) continue;
    // Tabs stay tabs so that the caret stands under its character.
    const indent = text.slice(0, position.column - 1).replace(/[^\t]/g, " ");
    const underline = "^".repeat(Math.max(1, Math.min(length, text.length - position.column + 1)));
    shown.push(`  ${" ".repeat(width)} | ${indent}${underline}`);
  }
  return shown;
}
