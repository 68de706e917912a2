import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { KernelClient } from "../../kernel/client.js";
import type { Message } from "../../kernel/protocol.js";
import { packageRoot } from "../../src/paths.js";
import { runCell, tracebackOf, withKernel } from "./harness.js";

const types = (messages: readonly Message[]) => messages.map((message) => message.header.msg_type);

test("kernel runs cells as one program", async (t) => {
  await withKernel(async (client, folder) => {
    const run = (code: string) => runCell(client, code);

    await t.test("the last expression is the result, undefined shows nothing", async () => {
      assert.equal((await run("const a: number = 20; a + 1")).result, "21");
      assert.equal((await run("undefined")).result, undefined);
      assert.equal((await run("if (a > 1) { a; }")).result, undefined);
      assert.equal((await run("({ a })")).result, "{ a: 20 }");
      assert.equal((await run("null")).result, "null");
    });

    await t.test("later assignment is seen by closures of earlier cells", async () => {
      await run("let lr = 0.1; function step(): number { return lr; }");
      assert.equal((await run("lr = 0.5; step()")).result, "0.5");
      assert.equal((await run("let lr = 0.25; step()")).result, "0.25");
    });

    await t.test("anything may be declared again as anything", async () => {
      for (const [code, result] of [
        ["const thing = 1; thing", "1"],
        ["function thing() { return 2; } thing()", "2"],
        ["class thing { static n = 3 }; thing.n", "3"],
        ["let thing = 4; thing", "4"],
        ["enum thing { A = 5 } thing.A", "5"],
        ["var thing = 6; thing", "6"],
        ["import thing from 'node:path'; thing.sep", "'/'"],
        ["const thing: string = 'again'; thing", "'again'"],
      ] as const) {
        const { result: found, reply } = await run(code);
        assert.equal(found, result, `${code}: ${JSON.stringify(reply)}`);
      }
    });

    await t.test("var in blocks and for loops belongs to the cell, twice if need be", async () => {
      assert.equal((await run("for (var i = 0; i < 3; i++) {} { var inner = i * 2; } inner")).result, "6");
      assert.equal((await run("let i = 7; i")).result, "7");
      assert.equal((await run("var i = 1; var i = 2; i")).result, "2");
      assert.equal((await run("for (var key of ['x', 'y']) {} key!")).result, "'y'");
    });

    await t.test("functions are hoisted within their cell", async () => {
      assert.equal((await run("early(); function early() { return 'early'; }\nearly()")).result, "'early'");
    });

    await t.test("types, interfaces, generics, enums and decorators live on", async () => {
      await run(
        "interface Point<T> { x: T }\ntype Pair = [number, number];\nabstract class Shape { abstract area(): number }",
      );
      const { result, reply } = await run(
        "const p: Point<number> = { x: 1 }; class Box extends Shape { area() { return p.x } } const q: Pair = [1, 2]; new Box().area() + q[1]",
      );
      assert.equal(result, "3", JSON.stringify(reply));
      await run("function tag<T>(value: T, _: ClassDecoratorContext) { return value; }");
      assert.equal((await run("@tag class Tagged { n = 9 }\nnew Tagged().n")).result, "9");
      const decorated = await run(
        `function twice(method: (n: number) => number, _: ClassMethodDecoratorContext) { return (n: number) => 2 * method(n); }
         class Sums { @twice one(n: number) { return n + 1; } }
         new Sums().one(4)`,
      );
      assert.equal(decorated.result, "10", JSON.stringify(decorated.reply));
    });

    await t.test("top-level await, for await, using", async () => {
      assert.equal(
        (await run("await new Promise<string>((r) => setTimeout(() => r('waited'), 5))")).result,
        "'waited'",
      );
      assert.equal(
        (await run("let sum = 0; for await (const x of [1, Promise.resolve(2)]) sum += x; sum")).result,
        "3",
      );
      const { stdout, reply } = await run(
        "{ using file = { [Symbol.dispose]() { console.log('closed') } }; console.log('open', typeof file) }",
      );
      assert.equal(stdout, "open object\nclosed\n", JSON.stringify(reply));
      const top = await run(
        `await using lock = { async [Symbol.asyncDispose]() { console.log("unlocked") } };
         using door = { [Symbol.dispose]() { console.log("shut") } };
         console.log("inside", typeof lock, typeof door);`,
      );
      assert.equal(top.stdout, "inside object object\nshut\nunlocked\n", JSON.stringify(top.reply));
    });

    await t.test("imports: default, named, namespace, dynamic, JSON, CommonJS, local files, meta", async () => {
      mkdirSync(join(folder, "node_modules/tiny-esm"), { recursive: true });
      writeFileSync(
        join(folder, "node_modules/tiny-esm/package.json"),
        '{"name":"tiny-esm","type":"module","exports":{"./sub":{"import":"./sub.js","types":"./sub.d.ts"}}}',
      );
      writeFileSync(join(folder, "node_modules/tiny-esm/sub.js"), "export const value = await Promise.resolve(42);");
      writeFileSync(join(folder, "node_modules/tiny-esm/sub.d.ts"), "export declare const value: number;");
      writeFileSync(join(folder, "local.mjs"), "export default 'local';");
      writeFileSync(join(folder, "local.d.mts"), "declare const x: string; export default x;");
      writeFileSync(join(folder, "data.json"), '{"n": 8}');
      mkdirSync(join(folder, "node_modules/tiny-cjs"), { recursive: true });
      writeFileSync(join(folder, "node_modules/tiny-cjs/index.js"), "exports.half = (n) => n / 2;");
      writeFileSync(
        join(folder, "node_modules/tiny-cjs/index.d.ts"),
        "export declare function half(n: number): number;",
      );
      const { result, reply } = await run(`
        import fs, { readFileSync as read, type PathLike } from "node:fs";
        import * as os from "node:os";
        import { value } from "tiny-esm/sub";
        import local from "./local.mjs";
        import data from "./data.json";
        const url = await import("node:url");
        const p: PathLike = "x";
        [typeof fs.readFileSync, typeof read, typeof os.cpus, value, local, data.n, typeof url.URL, import.meta.dirname === process.cwd()]`);
      assert.equal(
        result,
        "[\n  'function', 'function',\n  'function', 42,\n  'local',    8,\n  'function', true\n]",
        JSON.stringify(reply),
      );
      assert.equal((await run("value + data.n")).result, "50");
      const common = await run(
        'import { half } from "tiny-cjs";\nconst { half: again } = await import("tiny-cjs");\n[half(8), again(6)]',
      );
      assert.equal(common.result, "[ 4, 3 ]", JSON.stringify(common.reply));
    });

    await t.test("import x = require(…), typed, seen by later cells", async () => {
      const { result, reply } = await run('import fs = require("node:fs");\ntypeof fs.readFileSync');
      assert.equal(result, "'function'", JSON.stringify(reply));
      assert.equal((await run("fs.existsSync(process.cwd())")).result, "true");
      assert.match(String((await run("fs.existsSync(1)")).reply.evalue), /'number' is not assignable to .*'PathLike'/);
      assert.match(
        String((await run('import gone = require("no-such")')).reply.evalue),
        /Cannot find module 'no-such'/,
      );
    });

    await t.test("packages of Fledge itself can be imported from any folder", async () => {
      const { result, reply } = await run("import * as tf from '@tensorflow/tfjs';\ntf.tensor([[1, 2]])");
      assert.match(result ?? JSON.stringify(reply), /^float32 tensor of shape \[1, 2\]/);
    });

    await t.test("user_expressions, silent and store_history are obeyed", async () => {
      const count = (await run("1")).reply.execution_count as number;
      const expressions = await runCell(client, "const u = 5;", {
        userExpressions: { twice: "u * 2", bad: "nowhere" },
      });
      const found = expressions.reply.user_expressions as Record<string, Record<string, unknown>>;
      assert.deepEqual(found.twice, { status: "ok", data: { "text/plain": "10" }, metadata: {} });
      assert.equal(found.bad?.ename, "ReferenceError");
      const silent = await runCell(client, "console.log('x'); 1", { silent: true });
      assert.deepEqual(types(silent.messages), ["status"]);
      assert.equal(silent.reply.execution_count, count + 1);
      assert.equal((await runCell(client, "1", { storeHistory: false })).reply.execution_count, count + 1);
    });

    await t.test("displays come as one bundle, updates bear their display id", async () => {
      const { messages, reply } = await run(`
        const show = (globalThis as unknown as Record<symbol, (bundle: object, options?: object) => void>)[Symbol.for("fledge.display")]!;
        show({ "text/plain": "one", "image/png": new Uint8Array([1, 2, 3]) }, { displayId: "d1" });
        show({ "text/plain": "two" }, { displayId: "d1", update: true });
        ({ [Symbol.for("Jupyter.display")]: () => ({ "text/html": "<b>rich</b>" }) })`);
      const shown = messages.filter((message) => /display|result/.test(message.header.msg_type));
      assert.deepEqual(
        shown.map((message) => [message.header.msg_type, message.content.data, message.content.transient]),
        [
          ["display_data", { "text/plain": "one", "image/png": "AQID" }, { display_id: "d1" }],
          ["update_display_data", { "text/plain": "two" }, { display_id: "d1" }],
          [
            "execute_result",
            {
              "text/plain": "{ [Symbol(Jupyter.display)]: [Function: [Jupyter.display]] }",
              "text/html": "<b>rich</b>",
            },
            undefined,
          ],
        ],
        JSON.stringify(reply),
      );
    });

    await t.test("output keeps its order: stdout, stderr, native writers, displays, all before idle", async () => {
      const { messages, reply } = await run(`
        import { execSync } from "node:child_process";
        import koffi from "koffi";
        const libc = koffi.load(null as unknown as string); // as native code prints
        console.log("1"); console.error("2"); execSync("echo 3", { stdio: "inherit" });
        show({ "text/plain": "4" }); execSync("echo 5 >&2", { stdio: "inherit" }); console.log("6");
        libc.func("long write(int, str, size_t)")(1, "7\\n", 2); 8`);
      const order = messages.flatMap((message) => {
        const data = message.content.data as Record<string, string> | undefined;
        if (message.header.msg_type === "stream") return String(message.content.text).trim().split("\n");
        return data?.["text/plain"] === undefined ? [] : [data["text/plain"]];
      });
      assert.deepEqual(order, ["1", "2", "3", "4", "5", "6", "7", "8"], JSON.stringify(reply));
    });

    await t.test("characters of several bytes survive, and so do bytes that look like marks", async () => {
      assert.equal(
        (await run("process.stdout.write('é😀\\0:b1\\0'.repeat(20_000));")).stdout,
        "é😀\0:b1\0".repeat(20_000),
      );
    });

    await t.test("late output goes to the cell that caused it", async () => {
      const late: Message[] = [];
      client.onStray = (message) => late.push(message);
      const first = await run("setTimeout(() => console.log('late'), 150);");
      const { stdout } = await run("await new Promise((r) => setTimeout(r, 400)); console.log('now');");
      client.onStray = () => undefined;
      assert.equal(stdout, "now\n");
      const [message] = late.filter(({ header }) => header.msg_type === "stream");
      assert.equal(message?.content.text, "late\n");
      assert.equal(message?.parent?.msg_id, first.messages[0]?.parent?.msg_id);
    });

    await t.test("a thrown error bears the cell's own lines and none of ours", async () => {
      const failed = await run(
        "interface Nothing { a: number }\n\nfunction deep(n: number): never {\n  throw new RangeError('bad ' + n);\n}\ndeep(3);",
      );
      assert.equal(failed.reply.ename, "RangeError");
      assert.equal(failed.reply.evalue, "bad 3");
      const count = failed.reply.execution_count;
      assert.equal(
        tracebackOf(failed),
        [
          "RangeError: bad 3",
          `    at deep (cell-${count}.ts:4:9)`,
          `    at cell-${count}.ts:6:1`,
          "",
          "  3 | function deep(n: number): never {",
          "> 4 |   throw new RangeError('bad ' + n);",
          "    |         ^",
          "  5 | }",
        ].join("\n"),
      );
      const shown = failed.messages.find((message) => message.header.msg_type === "error");
      assert.deepEqual(shown?.content.traceback, failed.reply.traceback);
      const thrown = await run("throw 5;");
      assert.deepEqual([thrown.reply.ename, thrown.reply.evalue], ["Thrown value", "5"]);
      assert.match(
        tracebackOf(await run("await Promise.reject(new Error('a', { cause: new TypeError('b') }));")),
        /\[cause\]: TypeError: b/,
      );
    });

    await t.test("the cell's line is found under a deep stack of a library", async () => {
      writeFileSync(
        join(folder, "deep.mjs"),
        "export function deep(n) { if (n > 0) return deep(n - 1) + 1; throw new Error('bottom'); }",
      );
      writeFileSync(join(folder, "deep.d.mts"), "export declare function deep(n: number): number;");
      const traceback = tracebackOf(await run("import { deep } from './deep.mjs';\n\ndeep(30);"));
      assert.match(traceback, /> 3 \| deep\(30\);/);
      assert.equal(traceback.match(/at deep/g)?.length, 8);
    });

    await t.test("a type error stops the cell before it runs and shows line, caret and message", async () => {
      const failed = await run("console.log('must not run');\nconst text: string = lr;");
      const name = `cell-${failed.reply.execution_count}.ts`;
      assert.equal(failed.stdout, "");
      assert.equal(failed.reply.ename, "TypeScriptError");
      assert.equal(failed.reply.evalue, "Type 'number' is not assignable to type 'string'.");
      assert.equal(
        tracebackOf(failed),
        [
          `${name}:2:7 - TS2322: Type 'number' is not assignable to type 'string'.`,
          "  1 | console.log('must not run');",
          "> 2 | const text: string = lr;",
          "    |       ^^^^",
          "",
          "The cell did not run. A first line `// @ts-nocheck` would run it without a check of its types.",
        ].join("\n"),
      );
      assert.equal((await run("// @ts-nocheck\nconst text: string = lr; text")).result, "0.25");
      assert.equal((await run("const =")).reply.ename, "TypeScriptError");
      assert.match(
        String((await run("import { nope } from 'node:fs'; nope")).reply.evalue),
        /no exported member 'nope'/,
      );
      assert.match(String((await run("const fixed = 1;\nfixed = 2")).reply.evalue), /constant/);
    });

    await t.test("an error aborts the cells that wait behind it unless stop_on_error is false", async () => {
      const [failed, waiting] = await Promise.all([run("throw new Error('first')"), run("'second'")]);
      assert.deepEqual([failed.reply.status, waiting.reply.status], ["error", "aborted"]);
      const [, goesOn] = await Promise.all([
        runCell(client, "throw new Error('first')", { stopOnError: false }),
        run("'second'"),
      ]);
      assert.equal(goesOn.reply.status, "ok");
    });

    await t.test("an error that nobody awaits is told on stderr and ends nothing", async () => {
      const { stderr } = await run(
        "void Promise.reject(new Error('stray')); await new Promise((r) => setTimeout(r, 50));",
      );
      assert.match(stderr, /^Uncaught \(nothing awaits it\): Error: stray\n {4}at cell-\d+\.ts:1:21\n/);
    });
  });
});

test('import … from "fledge" works from the repository\'s notebooks and from any other folder', async () => {
  const code = 'import { resolveConfig } from "fledge";\nconst n: number = resolveConfig({}).batchSize; typeof n';
  for (const folder of [join(packageRoot(), "notebooks"), tmpdir()]) {
    const client = await KernelClient.start({ folder });
    try {
      const { result, reply } = await runCell(client, code);
      assert.equal(result, "'number'", JSON.stringify(reply));
      const wrong = await runCell(client, "resolveConfig({ batchSize: 'four' })");
      assert.equal(wrong.reply.evalue, "Type 'string' is not assignable to type 'number'.");
    } finally {
      await client.shutdown();
    }
  }
});

test("KernelClient.start() gives up a kernel that does not answer in time", async () => {
  await assert.rejects(
    KernelClient.start({ folder: tmpdir(), startTimeoutSeconds: 0.001 }),
    /^Error: Cannot start the kernel: no answer within 0\.001 s, expected an answer to kernel_info_request\. Fix: look at what it said: \(nothing\)\.$/,
  );
});

test("a cell that is stopped while TypeScript checks it does not run", async () => {
  await withKernel(async (client) => {
    // The first check takes longest: TypeScript is still warming up.
    const { reply, stdout } = await runCell(client, "console.log('ran')", {
      onOutput: ({ header }) => {
        if (header.msg_type === "execute_input") void client.interrupt();
      },
    });
    assert.deepEqual(
      [reply.ename, reply.evalue, stdout],
      ["KeyboardInterrupt", "the cell was stopped before it ran", ""],
    );
    assert.equal((await runCell(client, "1 + 1")).result, "2");
  });
});

test("a kernel process that dies takes its busy session with it", async () => {
  await withKernel(async (client) => {
    const pid = Number((await runCell(client, "process.pid")).result);
    const spinning = runCell(client, "while (true);").catch(() => undefined);
    client.process.kill("SIGKILL");
    await spinning;
    const isAlive = () => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    for (let tries = 0; tries < 100 && isAlive(); tries++) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(isAlive(), false);
  });
});

test("kernel leaves on shutdown", async () => {
  await withKernel(async (client) => {
    await runCell(client, "process.on('exit', () => console.log('bye')); setInterval(() => undefined, 1000);");
    await client.shutdown();
    assert.equal(client.process.exitCode, 0);
  });
});

test("with noEmitOnError false in the folder's tsconfig.json an error of types is shown and the cell runs", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fledge-test-"));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: { noEmitOnError: false } }));
  const client = await KernelClient.start({ folder });
  try {
    const { result, stderr, reply } = await runCell(client, 'const count: number = "three";\ncount');
    assert.equal(result, "'three'");
    assert.equal(
      stderr,
      [
        `cell-${reply.execution_count}.ts:1:7 - TS2322: Type 'string' is not assignable to type 'number'.`,
        '> 1 | const count: number = "three";',
        "    |       ^^^^^",
        "  2 | count",
        "\n",
      ].join("\n"),
    );
    assert.equal((await runCell(client, "count.toFixed")).stderr, "");
    assert.equal((await runCell(client, "const =")).reply.ename, "TypeScriptError");
  } finally {
    await client.shutdown();
    rmSync(folder, { recursive: true });
  }
});
