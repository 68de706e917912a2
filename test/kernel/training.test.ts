/**
 * Stop in the middle of training is a pause: the cell has ended before the checkpoint of the step under way is written, the next
 * cell waits for that, the variables are kept, a model writes, and the run goes on bit for bit.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runCell, whenPrinted, withKernel } from "./harness.js";

const SETTINGS = `
import { loadPretrained, openModel, train } from "fledge";
const settings = {
  maxDocuments: 4, blockSize: 64, batchSize: 2, gradientAccumulation: 4, maxSteps: 500, warmupSteps: 2,
  outputDir: "run", finalModelDir: "model",
};
const steps: number[] = [];`;

test("an interrupt in the middle of a training step is a pause, which the next cell waits for", async () => {
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
    const order: string[] = [];
    client.onStray = ({ header, content, parent }) => {
      if (header.msg_type === "stream") order.push(`${parent?.msg_id} ${content.text}`);
    };
    const stopped = await training;
    const cell = stopped.messages[0]?.parent?.msg_id;
    assert.equal(stopped.reply.ename, "KeyboardInterrupt", JSON.stringify(stopped.reply));
    assert.doesNotMatch(stopped.stdout, /checkpoint/, "the cell has ended before the step and its checkpoint");
    const folders = await runCell(
      client,
      'console.log("next"); (await import("node:fs")).readdirSync("run").filter((name) => name.startsWith("checkpoint-")).at(-1)',
      { onOutput: ({ header }) => header.msg_type === "stream" && order.push("next cell") },
    );
    const [late = "", ...rest] = order;
    assert.deepEqual(rest, ["next cell"]);
    const [, where, step] = /^(\S+) paused after step (\d+); its checkpoint is saved/.exec(late) ?? [];
    assert.equal(where, cell);
    const reached = Number(step);
    assert.ok(reached >= 2 && reached < 500, late);
    assert.equal(folders.result, `'checkpoint-${String(reached).padStart(6, "0")}'`);
    // Nothing goes on: no step is added while the next cell generates.
    const seenSteps = (await run("steps.length")).result;
    const written = await run(
      `const model = await openModel((await loadPretrained("fledge-base")).folder);
       const text = await model.generate("The people", { maxNewTokens: 3 });
       await model.dispose();
       [typeof text, steps.length]`,
    );
    assert.equal(written.result, `[ 'string', ${seenSteps} ]`, JSON.stringify(written.reply));
    const resumed = await run(
      `let from = 0;
       const losses: Record<string, number[]> = { run: [], whole: [] };
       for await (const event of train({ ...settings, resume: true })) {
         if (event.type === "start") from = event.resumedFromStep;
         if (event.type === "step") losses.run.push(event.loss);
         if (losses.run.length === 2) break;
       }
       for await (const event of train({ ...settings, outputDir: "whole" })) {
         if (event.type !== "step") continue;
         if (event.step > from) losses.whole.push(event.loss);
         if (losses.whole.length === 2) break;
       }
       [from, losses.run.every((loss, i) => loss === losses.whole[i])]`,
    );
    assert.equal(resumed.result, `[ ${reached}, true ]`, JSON.stringify(resumed.reply));

    // Read by code that the kernel has not compiled, a run stops by itself.
    const paused = whenPrinted("paused after step");
    client.onStray = paused.onOutput;
    const draining = whenPrinted("step 2\n");
    const drained = runCell(
      client,
      `const drain = new Function("events", \`return (async () => {
         for await (const event of events) if (event.type === "step") console.log("step", event.step);
       })()\`);
       await drain(train({ ...settings, outputDir: "drained" }));`,
      { onOutput: draining.onOutput },
    );
    await draining.seen;
    await client.interrupt();
    assert.equal((await drained).reply.ename, "KeyboardInterrupt");
    await paused.seen;
  });
});
