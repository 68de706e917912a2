/** Ready-made places to run (Docker, devcontainer, Binder): what can be held without building them. */
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/paths.js";
import { textOf } from "./sources.js";

const { scripts, engines } = JSON.parse(textOf("package.json")) as {
  scripts: Record<string, string>;
  engines: { node: string };
};
const oldestMajor = Number(/\d+/.exec(engines.node)?.[0]);
const places = ["Dockerfile", ".devcontainer/devcontainer.json", "binder/environment.yml", "binder/postBuild"];

test("every place runs scripts that package.json has", () => {
  for (const place of places) {
    const text = textOf(place).replaceAll('", "', " ");
    for (const [, script = ""] of text.matchAll(/npm run ([\w:-]+)/g))
      assert.ok(scripts[script], `${place}: ${script}`);
    for (const [, file = ""] of text.matchAll(/node dist\/([\w./-]+)\.js/g))
      assert.ok(existsSync(join(packageRoot(), `${file}.ts`)), `${place}: ${file}`);
  }
});

test("every place has a Node that Fledge runs on, the same one", () => {
  const [docker, container, binder] = places.map((place) =>
    Number(/(?:node:|typescript-node:|nodejs=)(\d+)/.exec(textOf(place))?.[1]),
  );
  assert.ok((docker ?? 0) >= oldestMajor);
  assert.deepEqual([container, binder], [docker, docker]);
});

test("the devcontainer is JSON, and Binder's last step can be executed", () => {
  assert.equal(JSON.parse(textOf(".devcontainer/devcontainer.json")).name, "Fledge");
  assert.ok(statSync(join(packageRoot(), "binder/postBuild")).mode & 0o100);
});

test("the image leaves out what is made anew in it", () => {
  const left = textOf(".dockerignore").trim().split("\n");
  for (const folder of ["node_modules", ".venv", "dist", ".fledge"]) assert.ok(left.includes(folder), folder);
  assert.ok(!left.includes(".npmrc"));
});
