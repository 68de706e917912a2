import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelClient } from "../../kernel/client.js";
import { type CellRun, runCell, tracebackOf, whenPrinted, withKernel } from "./harness.js";

// Runs a cell that prints "started", interrupts it then, and gives what came back.
async function interrupted(client: KernelClient, code: string): Promise<CellRun> {
  const { seen, onOutput } = whenPrinted("started");
  const run = runCell(client, code, { onOutput });
  await seen;
  await client.interrupt();
  return run;
}

const SLEEP = "const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));";

test("interrupt stops a cell, keeps its variables and runs finally", async (t) => {
  await withKernel(async (client) => {
    await runCell(client, SLEEP);

    for (const [name, code] of [
      ["a synchronous loop", "let n = 0; console.log('started'); while (true) n++;"],
      ["a for loop without end", "let n = 0; console.log('started'); for (;;) { n++; }"],
      ["an arithmetic for loop", "let n = 0; console.log('started'); for (let i = 0; i < 1e15; i++) n += i;"],
      ["a do loop", "let n = 0; console.log('started'); do { n++; } while (n > 0);"],
      ["a loop in a function", "let n = 0; function spin() { while (n >= 0) n++; } console.log('started'); spin();"],
      ["a loop after an await", "let n = 0; await sleep(1); console.log('started'); while (true) n++;"],
      ["a timer loop", "let n = 0; console.log('started'); while (true) { await sleep(1); n++; }"],
      ["a microtask loop", "let n = 0; console.log('started'); for (;;) { await null; n++; }"],
      ["an awaited timer", "let n = 1; console.log('started'); await sleep(1e8);"],
      ["a promise that never settles", "let n = 1; console.log('started'); await new Promise(() => undefined);"],
      [
        "a for await without values",
        "let n = 1; console.log('started'); for await (const x of { [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<number>>(() => undefined) }) }) n += x;",
      ],
    ] as const) {
      await t.test(name, async () => {
        const run = await interrupted(client, code);
        assert.equal(run.reply.ename, "KeyboardInterrupt", JSON.stringify(run.reply));
        assert.equal((await runCell(client, "n > 0")).result, "true");
      });
    }

    await t.test("nothing goes on afterwards", async () => {
      await interrupted(
        client,
        "let beats = 0; const loop = async () => { for (;;) { await sleep(1); beats++; } };\nconsole.log('started'); await Promise.all([loop(), loop(), loop()]);",
      );
      const before = (await runCell(client, "await sleep(30); beats")).result;
      assert.equal((await runCell(client, "await sleep(60); beats")).result, before);
    });

    await t.test("the traceback says where the cell waited", async () => {
      const run = await interrupted(client, "console.log('started');\n\nawait sleep(1e8);");
      assert.match(
        tracebackOf(run),
        /^KeyboardInterrupt: the cell was stopped; its variables are kept\n.*line 3 of the cell/s,
      );
      const loop = await interrupted(client, "console.log('started');\nlet turns = 0;\nwhile (true) { turns++; }");
      assert.match(tracebackOf(loop), /cell-\d+\.ts:3:/);
    });

    await t.test("finally runs innermost first and may await", async () => {
      const run = await interrupted(
        client,
        `async function inner() { try { console.log("started"); await sleep(1e8); } finally { await sleep(20); console.log("inner"); } }
         try { await inner(); } finally { await sleep(5); console.log("outer"); }`,
      );
      assert.equal(run.reply.ename, "KeyboardInterrupt");
      assert.equal(run.stdout, "started\ninner\nouter\n");
    });

    await t.test("for await waits for the return() of its source", async () => {
      await runCell(
        client,
        `
        const generate = async function* () {
          let step = 0;
          try { for (;;) { await sleep(5); yield step++; } } finally { await sleep(100); console.log("checkpoint written"); }
        };`,
      );
      const own = await interrupted(
        client,
        "for await (const step of generate()) { if (step === 3) console.log('started'); }\nconsole.log('not reached');",
      );
      assert.equal(own.reply.ename, "KeyboardInterrupt");
      assert.equal(own.stdout, "started\ncheckpoint written\n");
    });

    await t.test("for await over a library's generator ends it at its next yield", async () => {
      // Made by new Function: like library code, it is not compiled by the kernel.
      await runCell(
        client,
        `// @ts-nocheck
        const train = new Function("print", "return (async function* () { let step = 0; try { for (;;) { await new Promise((r) => setTimeout(r, 60)); yield step++; } } finally { await new Promise((r) => setTimeout(r, 60)); print('saved at ' + step); } })()");`,
      );
      const run = await interrupted(
        client,
        "console.log('started');\nfor await (const step of train(console.log) as AsyncGenerator<number>) { step; }",
      );
      assert.equal(run.reply.ename, "KeyboardInterrupt");
      assert.match(run.stdout, /^started\nsaved at \d+\n$/);
    });

    await t.test("an interrupt in the body of a for await also waits for return()", async () => {
      const run = await interrupted(
        client,
        "for await (const step of generate()) { console.log('started'); while (true) { step; } }",
      );
      assert.equal(run.reply.ename, "KeyboardInterrupt");
      assert.equal(run.stdout, "started\ncheckpoint written\n");
    });

    await t.test("library code that takes the cell's signal winds up before the cell ends", async () => {
      await runCell(
        client,
        `// @ts-nocheck
        const watch = new Function("print", "return (async () => { const signal = globalThis[Symbol.for('fledge.signal')]; print('started'); while (!signal.aborted) await new Promise((r) => setTimeout(r, 20)); await new Promise((r) => setTimeout(r, 80)); print('saved'); throw signal.reason; })()");`,
      );
      const run = await interrupted(client, "await watch(console.log);\nconsole.log('not reached');");
      assert.equal(run.reply.ename, "KeyboardInterrupt");
      assert.equal(run.stdout, "started\nsaved\n");
    });

    await t.test("an error of that winding up is told", async () => {
      await runCell(
        client,
        `// @ts-nocheck
        const failing = new Function("print", "return (async () => { const signal = globalThis[Symbol.for('fledge.signal')]; print('started'); while (!signal.aborted) await new Promise((r) => setTimeout(r, 20)); throw new Error('disk full'); })()");`,
      );
      const run = await interrupted(client, "await failing(console.log);");
      assert.deepEqual([run.reply.ename, run.reply.evalue], ["Error", "disk full"]);
    });

    await t.test(
      "a second interrupt, later than two seconds, ends the wait for return(); before that the cell says so",
      async () => {
        await runCell(
          client,
          `
        const stuck = async function* () { try { for (;;) { await sleep(1); yield 1; } } finally { console.log("closing"); await new Promise(() => undefined); } };`,
        );
        const told = whenPrinted("Interrupt twice within two seconds to restart the session");
        const started = whenPrinted("started");
        const run = runCell(client, "for await (const x of stuck()) { if (x) console.log('started'); }", {
          onOutput: (message) => {
            told.onOutput(message);
            started.onOutput(message);
          },
        });
        await started.seen;
        await client.interrupt();
        await told.seen;
        await new Promise((resolve) => setTimeout(resolve, 100));
        await client.interrupt();
        assert.equal((await run).reply.ename, "KeyboardInterrupt");
        assert.equal((await runCell(client, "beats >= 0")).result, "true");
      },
    );

    await t.test("an interrupt without a running cell harms nothing", async () => {
      await client.interrupt();
      assert.equal(
        (await runCell(client, "let s = 0; for (let i = 0; i < 10; i++) { s += i; await null; } s")).result,
        "45",
      );
    });

    await t.test("an interrupt aborts the cells that wait behind", async () => {
      const { seen, onOutput } = whenPrinted("started");
      const first = runCell(client, "console.log('started'); while (true);", { onOutput });
      const second = runCell(client, "1");
      await seen;
      await client.interrupt();
      assert.deepEqual([(await first).reply.ename, (await second).reply.status], ["KeyboardInterrupt", "aborted"]);
    });
  });
});
