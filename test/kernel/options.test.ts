import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import ts from "typescript";
import { CellChecker } from "../../kernel/checker.js";
import { compileModule } from "../../kernel/local-compile.js";
import { cellOptions } from "../../kernel/options.js";
import { packageRoot } from "../../src/paths.js";

function inFolder(files: Readonly<Record<string, unknown>>, use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "fledge-test-"));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content));
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("cellOptions() takes strictness, lib and JSX of the folder's tsconfig.json, extended ones too, and nothing else", () => {
  const own = {
    strict: false,
    module: "commonjs",
    noEmit: false,
    noUnusedLocals: true,
    outDir: "x",
    lib: ["ES2020", "DOM"],
  };
  const base = { noUncheckedIndexedAccess: true, jsx: "react", jsxFactory: "h", target: "ES5" };
  inFolder(
    { "tsconfig.json": { extends: "./base.json", compilerOptions: own }, "base.json": { compilerOptions: base } },
    (folder) => {
      const { typeRoots, ...options } = cellOptions(folder, packageRoot());
      const { typeRoots: _, ...ours } = cellOptions(tmpdir(), packageRoot());
      assert.deepEqual(options, {
        ...ours,
        strict: false,
        noUncheckedIndexedAccess: true,
        lib: ["lib.es2020.d.ts", "lib.dom.d.ts"],
        jsx: ts.JsxEmit.React,
        jsxFactory: "h",
      });
      assert.equal(ours.strict, true);
      assert.match(compileModule("export const a = <b/>;", join(folder, "a.tsx"), folder).code, /h\("b", null\)/);
      assert.match(compileModule("export const a = <b/>;", "a.tsx", tmpdir()).code, /_jsx\("b"/);
    },
  );
});

test("CellChecker checks by the folder's tsconfig.json", () => {
  const code = "function first(list: number[]): number { return list[0]; }\nfunction any(x) { return x; }";
  const codes = (folder: string) => new CellChecker(folder, packageRoot()).check(code).map((each) => each.code);
  inFolder({}, (folder) => assert.deepEqual(codes(folder), ["TS7006"]));
  const compilerOptions = { noImplicitAny: false, noUncheckedIndexedAccess: true };
  inFolder({ "tsconfig.json": { compilerOptions } }, (folder) => assert.deepEqual(codes(folder), ["TS2322"]));
});
