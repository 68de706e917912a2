/**
 * Which column of a table is the text. In: the name that was asked for, or none, and the first rows. Out: the column and the
 * reason it was taken. It reads no files.
 */
import { nearest, problem } from "../message.js";
import type { Row } from "./rows.js";

/** A column and why it was taken. */
export interface ChosenColumn {
  readonly name: string;
  readonly reason: string;
}

/** Rows that a guess looks at. */
export const ROWS_FOR_GUESS = 100;

// Names that say it, the plainest first.
const NAMES = ["text", "content", "document", "body", "article", "story"];

/**
 * Chooses the column of texts.
 *
 * @param asked the knob textColumn; empty to guess
 * @param rows the first of the table
 * @param where the file, for messages
 * @throws RangeError when the column is not there, or none holds text
 * @example
 * chooseColumn("", [{ title: "A", text: "Once …" }], "a.jsonl"); // { name: "text", reason: "its name says so" }
 */
export function chooseColumn(asked: string, rows: readonly Row[], where: string): ChosenColumn {
  const all = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lengths = new Map(all.map((name) => [name, meanLength(rows, name)] as const).filter(([, mean]) => mean > 0));
  const texts = [...lengths.keys()];
  const list = (names: readonly string[]) => names.map((name) => `"${name}"`).join(", ") || "no columns";
  const refuse = (found: string, expected: string, fix: string): RangeError =>
    new RangeError(problem({ cannot: `load rows of "${where}"`, found, expected, fix }));
  if (asked !== "") {
    if (texts.includes(asked)) return { name: asked, reason: "textColumn asks for it" };
    const near = nearest(asked, texts) ?? texts[0];
    const found = all.includes(asked) ? `no text in column "${asked}"` : `no column "${asked}"`;
    throw refuse(
      found,
      `one of ${list(texts)}`,
      near === undefined ? "give another file" : `set textColumn: "${near}"`,
    );
  }
  if (rows.length === 0) throw refuse("no rows", "at least one", "give a file with rows in it");
  const named = NAMES.map((name) => texts.find((text) => text.toLowerCase() === name)).find(
    (name) => name !== undefined,
  );
  if (named !== undefined) return { name: named, reason: "its name says so" };
  const [first] = texts;
  if (first === undefined) throw refuse(list(all), "a column of texts", "give a file with texts in it");
  if (texts.length === 1) return { name: first, reason: "no other column holds text" };
  const longest = [...lengths].sort((a, b) => b[1] - a[1])[0] as [string, number];
  const mean = Math.round(longest[1]).toLocaleString("en");
  const others = list(texts.filter((name) => name !== longest[0]));
  return { name: longest[0], reason: `its texts are the longest, ${mean} characters on average; others are ${others}` };
}

// Of the rows that hold text there; a column of anything else has none.
function meanLength(rows: readonly Row[], name: string): number {
  const texts = rows.map((row) => row[name]).filter((value) => value !== null && value !== undefined);
  if (texts.length === 0 || texts.some((value) => typeof value !== "string")) return 0;
  return texts.reduce((sum: number, text) => sum + (text as string).length, 0) / texts.length;
}
