/**
 * Trains a random model by `train()` in a process of its own. Argument: width, layers and knobs as JSON. Prints predicted and
 * measured peak.
 */
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { train } from "../../src/fine-tune.js";
import { toHuggingFaceConfig } from "../../src/model/gpt2-config.js";
import { packageRoot } from "../../src/paths.js";

const { width, layers, vocabularySize = 4096, maxDocuments = 30, ...knobs } = JSON.parse(process.argv[2] ?? "");
const folder = await mkdtemp(join(tmpdir(), "fledge-peak-"));
try {
  await mkdir(join(folder, "model"));
  await cp(join(packageRoot(), "models/fledge-base/tokenizer.json"), join(folder, "model/tokenizer.json"));
  const shape = { vocabularySize, positions: 512, width, layers, heads: 4 };
  const model = toHuggingFaceConfig({ ...shape, layerNormEpsilon: 1e-5, endOfTextId: 4095 });
  await writeFile(join(folder, "model/config.json"), JSON.stringify(model));
  const events = train({
    ...{ modelName: join(folder, "model"), initialWeights: "random", datasetName: "sotu", maxDocuments },
    ...{ outputDir: join(folder, "run"), finalModelDir: join(folder, "final"), dataGate: "warn" },
    ...{ maxSteps: 2, evaluateEverySteps: 1, earlyStoppingPatience: 0, mixedPrecision: false, engine: "tensorflow" },
    ...knobs,
  });
  for await (const event of events) {
    if (event.type === "preflight") console.log(JSON.stringify(event));
    if (event.type === "finish") console.log(JSON.stringify({ peakBytes: event.peakMemoryBytes }));
  }
} finally {
  await rm(folder, { recursive: true });
}
