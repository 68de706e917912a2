/** Pages and notebooks are spelled right: cspell with its own dictionaries and the words of cspell.config.yaml, offline. */
import { equal, match } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/paths.js";

const cspell = join(packageRoot(), "node_modules", "cspell", "bin.mjs");

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const skip = major > 20 || minor >= 18 ? false : "cspell needs Node 20.18; Fledge itself runs on 20.12";

function spell(input: string, ...args: readonly string[]) {
  const options = { cwd: packageRoot(), input, encoding: "utf8" } as const;
  return spawnSync(process.execPath, [cspell, "--no-progress", "--no-color", "--no-summary", ...args], options);
}

test("every page and every notebook is spelled right", { skip }, () => {
  const { stdout, status } = spell("");
  equal(stdout, "", "mend the word, or add it to cspell.config.yaml");
  equal(status, 0);
});

test("a word that is spelled wrong is found", { skip }, () => {
  match(spell("The lerning rate.", "stdin").stdout, /Unknown word \(lerning\)/);
});
