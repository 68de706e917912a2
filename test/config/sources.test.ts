import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gatherSettings, optionOf, variableOf } from "../../src/config/sources.js";
import { knobNames, type TrainingConfig } from "../../src/config.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-sources-"));
after(() => rm(scratch, { recursive: true }));
const file = join(scratch, "run.json");
await writeFile(file, JSON.stringify({ learningRate: 2e-4, batchSize: 2, keepBest: false }));

const fromWords = async (...words: string[]) => (await gatherSettings({ words })).settings;

test("gatherSettings() lets the object decide, then the file, the command line, the environment", async () => {
  const { settings, origins, overruled } = await gatherSettings({
    settings: { learningRate: 1e-4 },
    file,
    words: ["--learning-rate", "3e-4", "--batch-size=3", "--seed", "7"],
    environment: { FLEDGE_SEED: "8", FLEDGE_NUM_EPOCHS: "5", FLEDGE_QUICK: "1", PATH: "/bin", FLEDGE_ENGINE: "" },
  });
  assert.deepEqual(settings, { learningRate: 1e-4, batchSize: 2, keepBest: false, seed: 7, numEpochs: 5 });
  assert.deepEqual(
    [...origins],
    [
      ["learningRate", "the code"],
      ["batchSize", file],
      ["keepBest", file],
      ["seed", "--seed"],
      ["numEpochs", "FLEDGE_NUM_EPOCHS"],
    ],
  );
  assert.deepEqual(overruled, [
    `learningRate is 0.0001 by the code; 0.0002 by ${file} has no effect`,
    "learningRate is 0.0001 by the code; 0.0003 by --learning-rate has no effect",
    `batchSize is 2 by ${file}; 3 by --batch-size has no effect`,
    "seed is 7 by --seed; 8 by FLEDGE_SEED has no effect",
  ]);
});

test("gatherSettings() reads switches, their opposites and words", async () => {
  assert.deepEqual(await fromWords("--resume", "--no-keep-best", "--mixed-precision", "auto", "--schedule=wsd"), {
    resume: true,
    keepBest: false,
    mixedPrecision: "auto",
    schedule: "wsd",
  });
  assert.deepEqual(await fromWords("--mixed-precision=false", "--model-name", "a=b"), {
    mixedPrecision: false,
    modelName: "a=b",
  });
});

test("optionOf() and variableOf() name every knob once", () => {
  assert.deepEqual([optionOf("learningRate"), variableOf("learningRate")], ["--learning-rate", "FLEDGE_LEARNING_RATE"]);
  assert.equal(new Set(knobNames.map(optionOf)).size, knobNames.length);
});

test("gatherSettings() refuses what it does not know, with the nearest, wherever it was written", async () => {
  const refusals: [Parameters<typeof gatherSettings>[0], string][] = [
    [
      { words: ["--learningrate", "1"] },
      "Cannot read the command line: an option --learningrate, expected --learning-rate. Fix: write --learning-rate.",
    ],
    [
      { words: ["fast"] },
      'Cannot read the command line: the word "fast", expected options such as --learning-rate 1e-3. Fix: see the list with --help.',
    ],
    [{ words: ["--seed"] }, "Cannot use --seed: no value behind it, expected an integer ≥ 0. Fix: write --seed 42."],
    [
      { words: ["--batch-size", "4.5"] },
      "Cannot use --batch-size: 4.5, expected an integer ≥ 1. Fix: leave --batch-size out for the default, 4.",
    ],
    [
      { environment: { FLEDGE_BATCH_SIZE: "many" } },
      'Cannot use FLEDGE_BATCH_SIZE: "many", expected an integer ≥ 1. Fix: leave FLEDGE_BATCH_SIZE out for the default, 4.',
    ],
    [
      { environment: { FLEDGE_BATCHSIZE: "4" } },
      "Cannot read the environment: a variable FLEDGE_BATCHSIZE, expected FLEDGE_BATCH_SIZE. Fix: rename it to FLEDGE_BATCH_SIZE, or unset it.",
    ],
    [
      { settings: { learningrate: 1 } as Partial<TrainingConfig> },
      'Cannot read the training configuration: a knob named "learningrate", expected "learningRate". Fix: rename it to learningRate.',
    ],
  ];
  for (const [sources, message] of refusals) {
    await assert.rejects(gatherSettings(sources), { name: "RangeError", message });
  }
  const misspelt = join(scratch, "misspelt.json");
  await writeFile(misspelt, '{ "epochs": 3 }');
  await assert.rejects(gatherSettings({ file: misspelt }), {
    name: "RangeError",
    message: new RegExp(`^Cannot read ${misspelt}: a knob named "epochs", expected .* Fix: `),
  });
});
