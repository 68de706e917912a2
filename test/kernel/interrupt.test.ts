import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { KernelClient } from "../../kernel/client.js";
import type { Message } from "../../kernel/protocol.js";
import { type CellRun, runCell, tracebackOf, whenPrinted, withKernel } from "./harness.js";

// Runs a cell that prints "started", interrupts it then, and gives what came back.
async function interrupted(client: KernelClient, code: string): Promise<CellRun> {
  const { seen, onOutput } = whenPrinted("started");
  const run = runCell(client, code, { onOutput });
  await seen;
  await client.interrupt();
  return run;
}

// Interrupts a cell, and runs another one at once. What came after the first had ended is in the order of its arrival.
async function stoppedThenNext(client: KernelClient, code: string): Promise<{ run: CellRun; afterwards: string }> {
  let afterwards = "";
  let parent: string | undefined;
  const hear =
    (prefix: string) =>
    ({ header, content, parent: cause }: Message) => {
      if (header.msg_type !== "stream") return;
      if (prefix !== "") assert.equal(cause?.msg_id, parent, "late output bears the cell that caused it");
      afterwards += String(content.text).replace(/^(?=.)/gm, prefix);
    };
  client.onStray = hear("late: ");
  const run = await interrupted(client, code);
  parent = run.messages[0]?.parent?.msg_id;
  await runCell(client, "console.log('next')", { onOutput: hear("") });
  client.onStray = () => undefined;
  return { run, afterwards };
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

    await runCell(
      client,
      `
      const generate = async function* (ms: number) {
        let step = 0;
        try { for (;;) { await sleep(5); yield step++; } } finally { await sleep(ms); console.log("checkpoint written"); }
      };`,
    );

    await t.test("for await waits for the return() of its source", async () => {
      const own = await interrupted(
        client,
        "for await (const step of generate(1)) { if (step === 3) console.log('started'); }\nconsole.log('not reached');",
      );
      assert.equal(own.reply.ename, "KeyboardInterrupt");
      assert.equal(own.stdout, "started\ncheckpoint written\n");
    });

    // Made by new Function: like library code, they are not compiled by the kernel.
    await runCell(
      client,
      `// @ts-nocheck
      const library = (body) => new Function("print", "pause", "return " + body)(console.log, (ms) => new Promise((r) => setTimeout(r, ms)));
      const train = library("async function* () { try { for (;;) { await pause(300); yield 1; } } finally { await pause(100); print('saved'); } }");
      const watch = library("async function () { const signal = globalThis[Symbol.for('fledge.signal')]; print('started'); while (!signal.aborted) await pause(20); await pause(300); print('saved'); throw signal.reason; }");
      const failing = library("async function (ms) { const signal = globalThis[Symbol.for('fledge.signal')]; print('started'); while (!signal.aborted) await pause(1); await pause(ms); throw new Error('disk full'); }");`,
    );
    for (const [name, code, last] of [
      ["a source's return()", "for await (const step of generate(300)) console.log('started');", "checkpoint written"],
      ["a library's generator", "console.log('started'); for await (const step of train()) { step; }", "saved"],
      [
        "return() after an interrupt in the body",
        "for await (const step of generate(300)) { console.log('started'); while (true) { step; } }",
        "checkpoint written",
      ],
      [
        "library code that takes the cell's signal",
        "try { await watch(); } finally { console.log('then finally'); }",
        "saved\nlate: then finally",
      ],
    ] as const) {
      await t.test(`${name} winds up after the stopped cell has ended, and the next cell waits for it`, async () => {
        const { run, afterwards } = await stoppedThenNext(client, code);
        assert.equal(run.reply.ename, "KeyboardInterrupt");
        assert.match(
          tracebackOf(run),
          /its variables are kept\. What it waited for ends in order.*line 1 of the cell/s,
        );
        assert.match(run.stdout, /^(started\n)+$/);
        assert.equal(afterwards, `late: ${last}\nnext\n`);
      });
    }

    await t.test("an error of that winding up is told", async () => {
      const run = await interrupted(client, "await failing(1);");
      assert.deepEqual([run.reply.ename, run.reply.evalue], ["Error", "disk full"]);
      const { run: ended, afterwards } = await stoppedThenNext(client, "await failing(300);");
      assert.equal(ended.reply.ename, "KeyboardInterrupt");
      assert.match(afterwards, /^late: Error: disk full\n[\s\S]*next\n$/);
    });

    await t.test("a cell that waits for an end that never comes says so, and Stop ends both", async () => {
      await runCell(
        client,
        `
      const stuck = async function* () { try { for (;;) { await sleep(1); yield 1; } } finally { console.log("closing"); await new Promise(() => undefined); } };`,
      );
      const run = await interrupted(client, "for await (const x of stuck()) { if (x) console.log('started'); }");
      assert.equal(run.reply.ename, "KeyboardInterrupt");
      const { seen, onOutput } = whenPrinted("Waits for the end of what the stopped cell had called.");
      const waiting = runCell(client, "1", { onOutput });
      await seen;
      await client.interrupt();
      assert.equal((await waiting).reply.ename, "KeyboardInterrupt");
      assert.equal((await runCell(client, "beats >= 0")).result, "true");
    });

    await t.test("a cell that goes on after an interrupt says how to end it", async () => {
      const { seen, onOutput } = whenPrinted("Interrupt twice within two seconds to restart the session");
      const started = whenPrinted("started");
      const run = runCell(client, "try { console.log('started'); await sleep(1e8); } finally { await sleep(2500); }", {
        onOutput: (message) => {
          onOutput(message);
          started.onOutput(message);
        },
      });
      await started.seen;
      await client.interrupt();
      await seen;
      assert.equal((await run).reply.ename, "KeyboardInterrupt");
    });

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

test("a kernel that is shut down lets the stopped cell wind up", async () => {
  await withKernel(async (client, folder) => {
    await runCell(client, `${SLEEP} import { writeFileSync } from "node:fs";`);
    const run = await interrupted(
      client,
      `const slow = async function* () { try { for (;;) yield await sleep(1); } finally { await sleep(300); writeFileSync("saved", ""); } };
       console.log("started"); for await (const x of slow()) { x; }`,
    );
    assert.equal(run.reply.ename, "KeyboardInterrupt");
    assert.ok(!existsSync(join(folder, "saved")));
    await client.shutdown();
    assert.ok(existsSync(join(folder, "saved")));
  });
});
