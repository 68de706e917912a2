import assert from "node:assert/strict";
import { test } from "node:test";
import { loadPretrained } from "../../src/model/pretrained.js";
import { compileTraining, firstMoment, trainingVariables } from "../../src/train/optimizer.js";
import { engineNames, openForTest } from "../engines.js";
import { goldenBatch, goldenFolder, relativeError } from "../golden.js";

const { config, weights } = await loadPretrained(goldenFolder);

for (const name of engineNames) {
  test(`gradientCheckpointing changes no gradient on ${name}`, async (t) => {
    const moments: Map<string, Float32Array>[] = [];
    for (const gradientCheckpointing of [false, true]) {
      const engine = await openForTest(name);
      if (typeof engine === "string") return t.skip(engine);
      await engine.createVariables(trainingVariables(config, weights));
      const { batchSize: B, blockSize: T, targetCount: tokens, ...batch } = goldenBatch(0);
      const steps = compileTraining(engine, config, { B, T, gradientCheckpointing });
      await steps.step(batch, { step: 1, learningRate: 0, weightDecay: 0, clipNorm: 1e9, tokens });
      // After one step the first moment is a tenth of the gradient.
      moments.push(await engine.readVariables([...weights.keys()].map(firstMoment)));
      await engine.dispose();
    }
    const [kept, again] = moments as [Map<string, Float32Array>, Map<string, Float32Array>];
    for (const [moment, values] of kept) {
      const error = relativeError(again.get(moment) ?? [], values);
      assert.ok(error < 1e-5, `${moment}: relative error ${error}`);
    }
  });
}
