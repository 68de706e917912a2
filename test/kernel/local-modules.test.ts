import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { localTypeScript } from "../../kernel/local-modules.js";
import { runCell, tracebackOf, whenPrinted, withKernel } from "./harness.js";

test("local TypeScript modules", async (t) => {
  await withKernel(async (client, folder) => {
    const run = (code: string) => runCell(client, code);
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
    mkdirSync(join(folder, "deep"));

    await t.test("are imported by static and dynamic import, typed, with what they import themselves", async () => {
      write("deep/base.ts", "export interface Point { readonly x: number }\nexport const origin: Point = { x: 40 };");
      write("words.json", '{ "n": 2 }');
      write(
        "helper.ts",
        [
          'import { basename } from "node:path";',
          'import { origin, type Point } from "./deep/base.js";',
          'import words from "./words.json" with { type: "json" };',
          "export type { Point };",
          "export let calls: number = 0;",
          "export function sum(point: Point = origin): number { calls++; return point.x + words.n; }",
          "export default basename(import.meta.url);",
        ].join("\n"),
      );
      const { result, reply } = await run(
        'import name, { calls, sum, type Point } from "./helper.ts";\nconst p: Point = { x: 1 };\n[name, sum(), sum(p), calls]',
      );
      assert.equal(result, "[ 'helper.ts', 42, 3, 0 ]", JSON.stringify(reply));
      assert.equal((await run('const later = await import("./helper.ts"); later.calls')).result, "2");
      assert.equal((await run('import * as base from "./deep/base"; base.origin.x')).result, "40");
      const wrong = await run('import { sum as s } from "./helper.ts"; s({ x: "one" })');
      assert.equal(wrong.reply.evalue, "Type 'string' is not assignable to type 'number'.");
    });

    await t.test("run again when they or what they import was edited, and only then", async () => {
      const read = 'import { origin as o } from "./deep/base.ts"; import { sum as f, calls as n } from "./helper.ts";';
      assert.equal((await run(`${read} [o.x, f(), n]`)).result, "[ 40, 42, 2 ]");
      write("deep/base.ts", "export interface Point { readonly x: number }\nexport const origin: Point = { x: 50 };");
      assert.equal((await run(`${read} [o.x, f(), n]`)).result, "[ 50, 52, 0 ]");
      write("deep/base.ts", "export interface Point { readonly x: string }\nexport const origin: Point = { x: 'a' };");
      const wrong = await run('import { origin as q } from "./deep/base.ts"; const x: number = q.x;');
      assert.equal(wrong.reply.evalue, "Type 'string' is not assignable to type 'number'.");
    });

    await t.test("may import each other, packages of Fledge, and wait at their top level", async () => {
      write("a.ts", "import { b } from './b.ts';\nexport const a = () => 1;\nexport const c = () => b() + 1;");
      write(
        "b.ts",
        "import { a } from './a.ts';\nexport const b = () => a() + 1;\nexport const z = await Promise.resolve(7);",
      );
      assert.equal((await run('import { c } from "./a.ts"; import { z } from "./b.ts"; [c(), z]')).result, "[ 3, 7 ]");
      write(
        "tensor.ts",
        "import * as tf from '@tensorflow/tfjs';\nexport const size: number = tf.tensor([1, 2, 3]).size;",
      );
      const { result, reply } = await run('import { size } from "./tensor.ts"; size');
      assert.equal(result, "3", JSON.stringify(reply));
    });

    await t.test("show their own lines in tracebacks, and the line of the cell", async () => {
      write(
        "fail.ts",
        "interface A { n: number }\n\nexport function fail(a: A): never {\n  throw new Error('no ' + a.n);\n}",
      );
      const failed = await run('import { fail } from "./fail.ts";\n\nfail({ n: 3 });');
      const count = failed.reply.execution_count;
      assert.equal(
        tracebackOf(failed),
        [
          "Error: no 3",
          "    at fail (fail.ts:4:9)",
          `    at cell-${count}.ts:3:1`,
          "",
          "  2 | ",
          "> 3 | fail({ n: 3 });",
          "    | ^",
        ].join("\n"),
      );
    });

    await t.test("that cannot be parsed or that fail can be corrected and imported", async () => {
      write("broken.ts", "export const a = 1;\nexport const = 2;");
      const broken = await run('await import("./broken.ts")');
      assert.equal(broken.reply.ename, "SyntaxError");
      assert.equal(
        broken.reply.evalue,
        [
          `Cannot import ${join(folder, "broken.ts")}: line 2 with “Variable declaration expected.”, expected TypeScript. Fix: correct the file and run the cell again.`,
          "  1 | export const a = 1;",
          "> 2 | export const = 2;",
          "    |              ^",
        ].join("\n"),
      );
      write("broken.ts", "export const a: number = (() => { throw new RangeError('at start'); })();");
      assert.equal((await run('await import("./broken.ts")')).reply.evalue, "at start");
      write("broken.ts", "export const a = 1;");
      assert.equal((await run('(await import("./broken.ts")).a')).result, "1");
    });

    await t.test("that did not exist are found once they are written, and missed once they are gone", async () => {
      assert.match(
        String((await run('import { n } from "./new.ts"; n')).reply.evalue),
        /Cannot find module '.\/new.ts'/,
      );
      write("new.ts", "export const n = 5;");
      const { result, reply } = await run('import { n } from "./new.ts"; n');
      assert.equal(result, "5", JSON.stringify(reply));
      const caught = await run(
        'const bad: string = "file://elsewhere/x.ts"; await import(bad).catch((e: { code: string }) => e.code)',
      );
      assert.equal(caught.result, "'ERR_INVALID_FILE_URL_HOST'", JSON.stringify(caught.reply));
      rmSync(join(folder, "new.ts"));
      assert.match(
        String((await run('import { n } from "./new.ts"; n')).reply.evalue),
        /Cannot find module '.\/new.ts'/,
      );
    });

    await t.test("stop when the cell is interrupted", async () => {
      write("spin.ts", "export function spin(): void {\n  console.log('spinning');\n  for (;;);\n}");
      const { seen, onOutput } = whenPrinted("spinning");
      const spinning = runCell(client, 'import { spin } from "./spin.ts"; let kept = 1; spin();', { onOutput });
      await seen;
      await client.interrupt();
      assert.equal((await spinning).reply.ename, "KeyboardInterrupt");
      assert.equal((await run("kept")).result, "1");
    });
  });
});

test("localTypeScript() finds what TypeScript would find", () => {
  const folder = mkdtempSync(join(tmpdir(), "fledge-test-"));
  try {
    mkdirSync(join(folder, "lib"));
    for (const name of ["a.ts", "b.mts", "c.d.e.ts", "lib/index.ts", "own.js", "own.ts"]) {
      writeFileSync(join(folder, name), "");
    }
    for (const [specifier, found] of [
      ["./a.ts", "a.ts"],
      ["./a", "a.ts"],
      ["./a.js", "a.ts"],
      ["./b.mjs", "b.mts"],
      ["./c.d.e", "c.d.e.ts"],
      ["./lib", "lib/index.ts"],
      ["./lib/../a.ts", "a.ts"],
      [`file://${join(folder, "a.ts")}`, "a.ts"],
      [join(folder, "a.ts"), "a.ts"],
      ["./own.js", undefined],
      ["./none.ts", undefined],
      ["a.ts", undefined],
      ["node:fs", undefined],
    ] as const) {
      const expected = found === undefined ? undefined : join(folder, found);
      assert.equal(localTypeScript(folder, specifier), expected, specifier);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
