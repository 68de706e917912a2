/** What must not stand in any tracked file: paths of one machine and addresses of package servers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { textOf, trackedFiles } from "./sources.js";

const BINARY = /\.(safetensors|png|jpe?g|gif|ttf|woff2?|parquet|zip|gz|npz?|bin|pdf)$/;

// Put together here, so that this file does not hold what it looks for.
const FORBIDDEN = [
  { what: "a path of one machine", pattern: new RegExp(`(?<![\\w.-])/(${["work", "root"].join("|")})/[\\w.]`) },
  {
    what: "a path of one user",
    pattern: new RegExp(`(?<![\\w.-])/(${["home", "Users"].join("|")})/(?!ada\\b|you\\b)\\w+/`),
  },
  {
    what: "the address of a package server",
    pattern: new RegExp(["registry\\.npmjs", "registry\\.yarnpkg", "pypi\\.org", "files\\.pythonhosted"].join("|")),
  },
];

const tracked = trackedFiles();
const skip = tracked ? false : "not a git work tree, so there is no list of tracked files";

for (const { what, pattern } of FORBIDDEN) {
  test(`no tracked file holds ${what}`, { skip }, () => {
    const found = (tracked ?? [])
      .filter((path) => !BINARY.test(path))
      .flatMap((path) =>
        textOf(path)
          .split("\n")
          .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 100)}`] : [])),
      );
    assert.deepEqual(found, []);
  });
}

test("the patterns find what they are for", () => {
  const examples = [
    ["", "work", "main"].join("/"),
    ["", "home", "someone", "fledge"].join("/"),
    ["https://pypi", "org"].join("."),
  ];
  for (const [index, example] of examples.entries()) assert.match(`see ${example}`, FORBIDDEN[index]?.pattern ?? /$^/);
  assert.doesNotMatch("bin/work/x.ts", FORBIDDEN[0]?.pattern ?? /^/);
});
