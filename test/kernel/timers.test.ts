import assert from "node:assert/strict";
import { test } from "node:test";
import { runCell, tracebackOf, whenPrinted, withKernel } from "./harness.js";

test("timers of a cell", async (t) => {
  await withKernel(async (client) => {
    await t.test("no longer fire once it was interrupted, those of earlier cells do", async () => {
      await runCell(client, "let earlier = 0; let own = 0; const kept = setInterval(() => { earlier++; }, 5);");
      const { seen, onOutput } = whenPrinted("waiting");
      const code = `
        setInterval(() => { own++; }, 5);
        setTimeout(() => { own += 1000; }, 300);
        try { console.log("waiting"); await new Promise(() => undefined); }
        finally { await new Promise((r) => setTimeout(r, 5)); own = 0; }`;
      const waiting = runCell(client, code, { onOutput });
      await seen;
      await client.interrupt();
      assert.equal((await waiting).reply.ename, "KeyboardInterrupt");
      const { result } = await runCell(
        client,
        "own = 0; earlier = 0; await new Promise((r) => setTimeout(r, 400)); clearInterval(kept); [own, earlier > 0]",
      );
      assert.equal(result, "[ 0, true ]");
    });

    await t.test("work as Node's own: values, this, promisify, clear, late output", async () => {
      const { result, reply } = await runCell(
        client,
        `import { promisify } from "node:util";
        const sum = await new Promise<number>((r) => setTimeout((a: number, b: number) => r(a + b), 1, 2, 3));
        const slept = await promisify(setTimeout)(1, "slept");
        const never = setTimeout(() => { throw new Error("cleared"); }, 1);
        clearTimeout(never);
        const turns = await new Promise<number>((r) => { let n = 0; const i = setInterval(() => { if (++n === 3) { clearInterval(i); r(n); } }, 1); });
        [sum, slept, turns, setTimeout.name, never.hasRef()]`,
      );
      assert.equal(result, "[ 5, 'slept', 3, 'setTimeout', true ]", JSON.stringify(reply));
      const wrong = await runCell(client, "// @ts-nocheck\nsetTimeout(5)");
      assert.match(tracebackOf(wrong), /^TypeError/);
      assert.equal(wrong.reply.status, "error");
    });
  });
});
