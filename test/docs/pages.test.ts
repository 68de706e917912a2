/** The pages of docs/ and the README: links that lead somewhere, and messages that Fledge really says. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/paths.js";
import { filesBelow, textOf } from "../project/sources.js";

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "notebooks/README.md",
  ...filesBelow(["docs", "datasets", "models"], [".md"]),
];

for (const page of pages) {
  test(`${page} links to files and headings that exist`, () => {
    const text = textOf(page).replace(/^```[\s\S]*?^```/gm, "");
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = "", heading] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      assert.ok(existsSync(join(packageRoot(), file)), target);
      if (heading) assert.ok(headingsOf(textOf(file)).includes(heading), target);
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

function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} -]/gu, "")
      .replaceAll(" ", "-"),
  );
}
