/** Who may know whom: the boundaries that keep the parts of Fledge apart, and the size at which a file is split. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { factsOf, filesBelow } from "./sources.js";

const MOST_LINES = 400;
const product = filesBelow(["src", "kernel"], [".ts"]).map((path) => factsOf(path));

test("src never imports kernel: the library runs without Jupyter", () => {
  assert.deepEqual(importsFrom("src/", "kernel/"), []);
});

test("src/train never imports src/view: whoever trains need not draw", () => {
  assert.deepEqual(importsFrom("src/train/", "src/view/"), []);
});

test("src and kernel import nothing from test, bench or bin", () => {
  for (const folder of ["test/", "bench/", "bin/"]) {
    assert.deepEqual([...importsFrom("src/", folder), ...importsFrom("kernel/", folder)], []);
  }
});

for (const name of ["zeromq", "plotly.js-dist-min", "arquero", "koffi"]) {
  test(`one file knows ${name}`, () => {
    const knowing = product.filter(({ strings }) =>
      strings.some((text) => text === name || text.startsWith(`${name}/`)),
    );
    assert.equal(knowing.length, 1, `known to: ${knowing.map(({ path }) => path).join(", ") || "no file"}`);
  });
}

test("src and kernel keep no state in module variables", () => {
  const found = product.flatMap(({ path, moduleVariables }) => moduleVariables.map((name) => `${path}: ${name}`));
  assert.deepEqual(found, []);
});

test(`no source file is longer than ${MOST_LINES} lines`, () => {
  const paths = filesBelow(["src", "kernel", "bin", "test", "bench", "datasets", "models"], [".ts", ".mjs", ".py"]);
  const long = paths.map((path) => factsOf(path)).filter(({ lines }) => lines > MOST_LINES);
  assert.deepEqual(
    long.map(({ path, lines }) => `${path}: ${lines} lines`),
    [],
  );
});

test("factsOf() finds imports of every form, and variables only outside functions", () => {
  const facts = factsOf(
    "src/train/a.ts",
    [
      'import type { A } from "../view/chart.js";',
      'export { b } from "./b.js";',
      'const c = await import("koffi");',
      "let d = 1, e = 2;",
      "export var f = 3;",
      "declare let g: number;",
      "function h() { let i = 4; return i + d + e; }",
      "",
    ].join("\n"),
  );
  assert.deepEqual(facts.imports, ["src/view/chart.ts", "src/train/b.ts", "koffi"]);
  assert.deepEqual(facts.moduleVariables, ["d", "e", "f"]);
  assert.equal(facts.lines, 7);
});

function importsFrom(folder: string, target: string): string[] {
  return product
    .filter(({ path }) => path.startsWith(folder))
    .flatMap(({ path, imports }) =>
      imports.filter((name) => name.startsWith(target)).map((name) => `${path} -> ${name}`),
    );
}
