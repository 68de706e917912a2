/** Stop in the middle of a training step is a pause: checkpoint, variables, a model that writes, and a run that goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runCell, whenPrinted, withKernel } from "./harness.js";

const SETTINGS = `
import { loadPretrained, openModel, train } from "fledge";
const settings = {
  maxDocuments: 4, blockSize: 32, batchSize: 2, gradientAccumulation: 1, maxSteps: 500, warmupSteps: 2,
  outputDir: "run", finalModelDir: "model",
};
const steps: number[] = [];`;

test("an interrupt in the middle of a training step is a pause", async () => {
  await withKernel(async (client) => {
    const run = (code: string) => runCell(client, code);
    const set = await run(SETTINGS);
    assert.equal(set.reply.status, "ok", JSON.stringify(set.reply));
    const { seen, onOutput } = whenPrinted("step 2\n");
    const training = runCell(
      client,
      `for await (const event of train(settings)) {
         if (event.type !== "step") continue;
         steps.push(event.step);
         console.log("step", event.step);
       }`,
      { onOutput },
    );
    await seen;
    await client.interrupt();
    const stopped = await training;
    assert.equal(stopped.reply.ename, "KeyboardInterrupt", JSON.stringify(stopped.reply));
    const reached = Number((await run("steps.at(-1)")).result);
    assert.ok(reached >= 2 && reached < 500);
    const folders = await run(
      '(await import("node:fs")).readdirSync("run").filter((name) => name.startsWith("checkpoint-"))',
    );
    assert.match(folders.result ?? "", /checkpoint-0*\d+/);
    // Nothing goes on: no step is added while the next cell generates.
    const written = await run(
      `const model = await openModel((await loadPretrained("fledge-base")).folder);
       const text = await model.generate("The people", { maxNewTokens: 3 });
       await model.dispose();
       [typeof text, steps.at(-1)]`,
    );
    assert.equal(written.result, `[ 'string', ${reached} ]`, JSON.stringify(written.reply));
    const resumed = await run(
      `let from = 0, next = 0;
       for await (const event of train({ ...settings, resume: true })) {
         if (event.type === "start") from = event.resumedFromStep;
         if (event.type === "step") { next = event.step; break; }
       }
       [from >= ${reached}, next - from]`,
    );
    assert.equal(resumed.result, "[ true, 1 ]", JSON.stringify(resumed.reply));
  });
});
