/**
 * Trains a random model by `train()` in a process of its own. Argument: width, layers and knobs as JSON. Prints predicted and
 * measured peak.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { train } from "../../src/fine-tune.js";
import { writeModelFolder } from "../model-folder.js";

const { width, layers, vocabularySize = 4096, maxDocuments = 30, ...knobs } = JSON.parse(process.argv[2] ?? "");
const folder = await mkdtemp(join(tmpdir(), "fledge-peak-"));
try {
  await writeModelFolder(join(folder, "model"), { vocabularySize, positions: 512, width, layers, heads: 4 });
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
