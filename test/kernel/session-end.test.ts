import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { KernelClient } from "../../kernel/client.js";
import { sessionEnded } from "../../kernel/reports.js";
import { runCell, tracebackOf, whenPrinted, withKernel } from "./harness.js";

const MEMORY = /\(peak memory [\d.,]+ [MG]B\)/;
const AGAIN = "all variables are lost. A fresh session has started; run the cells again from the top.";

test("a session that ends is replaced, and the cell says what happened", async (t) => {
  await withKernel(async (client) => {
    await t.test("killed by a signal: signal, peak memory, last lines", async () => {
      await runCell(client, "const before = 1; await new Promise((r) => setTimeout(r, 600));");
      const run = await runCell(
        client,
        "console.log('last words'); process.kill(process.pid, 'SIGKILL'); await new Promise(() => undefined);",
      );
      assert.equal(run.stdout, "last words\n");
      assert.equal(run.reply.ename, "SessionEnded");
      const evalue = String(run.reply.evalue);
      assert.match(evalue, MEMORY);
      assert.equal(
        evalue.replace(MEMORY, "(…)"),
        `The session process was ended by signal SIGKILL (…): ${AGAIN} SIGKILL often means that memory ran out.`,
      );
      assert.deepEqual(tracebackOf(run).split("\n").slice(1), ["Its last lines:", "  last words"]);
      assert.equal((await runCell(client, "1 + 1")).result, "2");
      assert.match(String((await runCell(client, "before")).reply.evalue), /Cannot find name 'before'/);
    });

    await t.test("left by process.exit: its code", async () => {
      const run = await runCell(client, "process.exit(3);");
      assert.match(
        String(run.reply.evalue),
        /^The session process exited with code 3 \(.*\): all variables are lost\./,
      );
      assert.equal((await runCell(client, "2 + 2")).result, "4");
    });

    await t.test("crashed in native code", async () => {
      const run = await runCell(
        client,
        `import koffi from "koffi";
         const read = koffi.load(null as unknown as string).func("size_t strlen(void *)");
         console.log("about to crash");
         read(1n);`,
      );
      assert.match(String(run.reply.evalue), /signal SIGSEGV.* Native code has crashed\.$/, JSON.stringify(run.reply));
      assert.match(tracebackOf(run), /Its last lines:\n {2}about to crash/);
      assert.equal((await runCell(client, "3 + 3")).result, "6");
    });

    await t.test("interrupted twice within two seconds, deaf as native code that computes", async () => {
      const { seen, onOutput } = whenPrinted("started");
      // Atomics.wait blocks like native code that computes: no compiled-in test is reached.
      const run = runCell(
        client,
        "const lost = 1; console.log('started'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
        { onOutput },
      );
      await seen;
      await client.interrupt();
      await client.interrupt();
      const { reply } = await run;
      assert.equal(
        String(reply.evalue).replace(/ \(peak.*?\)/, ""),
        `The session process was interrupted twice within two seconds and restarted: ${AGAIN}`,
      );
      assert.equal((await runCell(client, "4 + 4")).result, "8");
    });

    await t.test("interrupted twice within two seconds, stopped and winding up", async () => {
      const late = new Promise<string>((resolve) => {
        client.onStray = ({ header, content }) => {
          if (header.msg_type === "stream") resolve(String(content.text));
        };
      });
      const { seen, onOutput } = whenPrinted("started");
      const run = runCell(
        client,
        `const stuck = async function* () { try { yield 1; await new Promise(() => undefined); } finally { await new Promise(() => undefined); } };
         for await (const n of stuck()) console.log("started", n);`,
        { onOutput },
      );
      await seen;
      await client.interrupt();
      assert.equal((await run).reply.ename, "KeyboardInterrupt");
      await client.interrupt();
      assert.match(await late, /^The session process was interrupted twice within two seconds and restarted/);
      assert.equal((await runCell(client, "7 + 7")).result, "14");
    });

    await t.test("between two cells", async () => {
      await runCell(client, "setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1);");
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.equal((await runCell(client, "5 + 5")).result, "10");
    });
  });
});

test("a session that runs out of memory says so, and how much it had", async () => {
  const environment = { ...process.env, NODE_OPTIONS: "--max-old-space-size=300" };
  const client = await KernelClient.start({ folder: tmpdir(), environment });
  try {
    const run = await runCell(
      client,
      "const kept: number[][] = [];\nfor (;;) kept.push(Array.from({ length: 10_000 }, (_, n) => n + 0.5));",
    );
    assert.equal(run.reply.ename, "SessionEnded");
    const evalue = String(run.reply.evalue);
    assert.match(evalue, /^The session process was ended by signal SIGABRT \(peak memory \d{3} MB\)/);
    assert.match(evalue, /The JavaScript heap was full: start Jupyter with NODE_OPTIONS=--max-old-space-size=8192/);
    assert.match(tracebackOf(run), /FATAL ERROR: .*heap out of memory/);
    assert.equal((await runCell(client, "6 + 6")).result, "12");
  } finally {
    await client.shutdown();
  }
});

test("sessionEnded() words a session that never came up", () => {
  const end = { exitCode: 1, signal: null, wasReady: false };
  assert.deepEqual(sessionEnded(end, false, "Error: no such module\n").traceback, [
    "The session process exited with code 1 (peak memory not known): all variables are lost. It never became ready; the next cell tries again; run the cells again from the top.",
    "Its last lines:",
    "  Error: no such module",
  ]);
});
