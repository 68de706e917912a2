import assert from "node:assert/strict";
import { test } from "node:test";
import type * as tf from "@tensorflow/tfjs";
import { evaluationBatches } from "../../src/data/batches.js";
import { packDocuments } from "../../src/data/pack.js";
import type { Tokenizer } from "../../src/data/tokenizer.js";
import type { Engine } from "../../src/engine/engine.js";
import { hiddenStates } from "../../src/model/gpt2.js";
import { weightShapes } from "../../src/model/gpt2-config.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { compileEvaluation, compileTraining, trainingVariables } from "../../src/train/optimizer.js";
import { engineNames, openForTest } from "../engines.js";
import { goldenFolder, relativeError } from "../golden.js";

const { config, weights } = await loadPretrained(goldenFolder);
const V = config.vocabularySize;
const C = config.width;
const end = V - 1;

// One token a character: its code, within the vocabulary of the fixture.
const tokenizer = {
  endOfTextId: end,
  encode: (text: string) => Uint32Array.from(text, (character) => character.charCodeAt(0) % (V - 1)),
} as Tokenizer;
const documents = ["When in the", "Course", "of human events it becomes", "necessary"].map((text, i) => ({
  id: String(i),
  text,
}));
const T = 24;
const B = 2;
const packed = packDocuments(documents, tokenizer, T, { separateDocuments: true });

for (const name of engineNames) {
  test(`hiddenStates() with positions gives each packed document what it gets alone on ${name}`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    await engine.createVariables(trainingVariables(config, weights));
    const [batch] = evaluationBatches(packed, { batchSize: B });
    assert.ok(batch?.positions);
    const { inputs, positions } = batch;
    const together = await hidden(engine, inputs, { B, T }, positions);
    let documentsSeen = 0;
    for (const [begin, length] of runs(positions)) {
      const alone = await hidden(engine, inputs.subarray(begin, begin + length), { B: 1, T: length });
      const error = relativeError(together.subarray(begin * C, (begin + length) * C), alone);
      assert.ok(error < 1e-5, `document at ${begin}: relative error ${error}`);
      documentsSeen++;
    }
    assert.equal(documentsSeen, 5, "four documents, one of them cut by the end of a block");
    const crossing = await hidden(engine, inputs, { B, T });
    assert.ok(relativeError(crossing, together) > 1e-3, "without positions they see each other");
    await engine.dispose();
  });
}

test("compileTraining() and compileEvaluation() keep documents apart when the blocks ask for it", async (t) => {
  const engine = await openForTest("tensorflow");
  if (typeof engine === "string") return t.skip(engine);
  await engine.createVariables(trainingVariables(config, weights));
  const [apart] = evaluationBatches(packed, { batchSize: B });
  const [crossing] = evaluationBatches(packDocuments(documents, tokenizer, T), { batchSize: B });
  assert.ok(apart && crossing && !crossing.positions);
  const evaluate = await compileEvaluation(engine, config, { B, T, separateDocuments: true });
  const training = compileTraining(engine, config, { B, T, separateDocuments: true });
  const loss = await evaluate(apart);
  assert.ok(Math.abs((await training.accumulate(apart)) - loss) < 1e-3);
  const evaluateCrossing = await compileEvaluation(engine, config, { B, T });
  assert.ok(Math.abs((await evaluateCrossing(crossing)) - loss) > 1e-3);
  await engine.dispose();
});

// Stretches of rising positions: [begin, length].
function* runs(positions: Int32Array): Generator<[number, number]> {
  let begin = 0;
  for (let i = 1; i <= positions.length; i++) {
    if (i < positions.length && positions[i] !== 0) continue;
    yield [begin, i - begin];
    begin = i;
  }
}

async function hidden(
  engine: Engine,
  inputs: Int32Array,
  dimensions: { readonly B: number; readonly T: number },
  positions?: Int32Array,
): Promise<Float32Array> {
  const ids = { shape: [inputs.length], dtype: "int32" } as const;
  const name = `hidden-${dimensions.B}-${dimensions.T}-${positions ? "apart" : "crossing"}`;
  const specs: Record<string, typeof ids> = positions ? { inputs: ids, positions: ids } : { inputs: ids };
  const step = await engine.compile(name, specs, (batch, variables) => {
    const read = new Map([...weightShapes(config).keys()].map((weight) => [weight, variables.read(weight)]));
    const weight = (wanted: string) => read.get(wanted) as tf.Tensor;
    return { hidden: hiddenStates(batch.inputs as tf.Tensor, dimensions, weight, config, batch.positions) };
  });
  return (await step.run(positions ? { inputs, positions } : { inputs })).hidden as Float32Array;
}
