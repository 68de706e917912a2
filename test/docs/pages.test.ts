/** The pages of docs/, the README and the notebooks: links that lead somewhere, and messages that Fledge really says. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { cellSource, type Notebook } from "../../kernel/notebook.js";
import { packageRoot } from "../../src/paths.js";
import { notebookNames, solutionNames } from "../notebooks/course.js";
import { filesBelow, textOf } from "../project/sources.js";

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "notebooks/README.md",
  ...filesBelow(["docs", "datasets", "models"], [".md"]),
  ...notebookNames.map((name) => `notebooks/${name}`),
  ...solutionNames.map((name) => `notebooks/solutions/${name}`),
];

for (const page of pages) {
  test(`${page} links to files and headings that exist`, () => {
    const text = proseOf(page).replace(/^```[\s\S]*?^```/gm, "");
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = "", heading] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      assert.ok(existsSync(join(packageRoot(), file)), target);
      if (heading) assert.ok(headingsOf(proseOf(file)).includes(heading), target);
    }
  });
}

test("docs/troubleshooting.md explains messages that Fledge says", () => {
  const sources = filesBelow(["src", "bin", "kernel"], [".ts", ".mjs"]).map(textOf).join("\n");
  const messages = [...textOf("docs/troubleshooting.md").matchAll(/^\| `Cannot ([^`]+)`/gm)].map(
    ([, said = ""]) => said,
  );
  assert.ok(messages.length > 20);
  for (const said of messages)
    assert.ok(sources.includes(`cannot: \`${said}`) || new RegExp(`["\`]${said}\\b`).test(sources), said);
});

/** What a reader reads of a page, or of a notebook between its code. */
function proseOf(path: string): string {
  if (!path.endsWith(".ipynb")) return textOf(path);
  const { cells } = JSON.parse(textOf(path)) as Notebook;
  return cells
    .filter((cell) => cell.cell_type === "markdown")
    .map(cellSource)
    .join("\n\n");
}

function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} -]/gu, "")
      .replaceAll(" ", "-"),
  );
}
