/**
 * What a run does when memory runs out: the same accumulation window in smaller micro-batches. In: a run, its progress, the
 * error. Out: the progress with half the micro-batch, and the event that says so. The window, its blocks and their order
 * stay, so that the run differs by rounding only.
 */
import { join } from "node:path";
import { problem } from "../message.js";
import { checkpointName, openCheckpoint } from "./checkpoint.js";
import type { OutOfMemoryEvent } from "./events.js";
import { trainableOf } from "./lora.js";
import { trainingVariables } from "./optimizer.js";
import { type Progress, progressOf, type TrainingRun } from "./trainer-run.js";
import { setVariables } from "./trainer-save.js";

/**
 * Halves the micro-batch.
 *
 * @throws RangeError when it is a single block already
 */
export function halveMicroBatch({ config }: TrainingRun, progress: Progress, error: Error): OutOfMemoryEvent {
  const before = progress.microBatchSize;
  if (before === 1) {
    const found = `${error.message} The micro-batch is a single block of ${config.blockSize} tokens`;
    const fix = `set blockSize: ${Math.floor(config.blockSize / 2)}, or choose a smaller model`;
    throw new RangeError(problem({ cannot: "go on training", found, expected: "enough memory for it", fix }), {
      cause: error,
    });
  }
  progress.microBatchSize = Math.ceil(before / 2);
  const { step, microBatchSize } = progress;
  const microBatches = Math.ceil((config.batchSize * config.gradientAccumulation) / microBatchSize);
  return { type: "out-of-memory", step, microBatchSize, microBatches, reason: error.message };
}

/**
 * Takes a run back to its last checkpoint, or to its start: memory that runs out in the middle of an update may have left
 * some weights new and some old.
 *
 * @param savedStep step of the last checkpoint of this run; 0 when there is none
 */
export async function rewind(run: TrainingRun, progress: Progress, savedStep: number): Promise<void> {
  const { checkpoint: _resumed, ...fresh } = run;
  const checkpoint =
    savedStep > 0 ? await openCheckpoint(join(run.config.outputDir, checkpointName(savedStep))) : undefined;
  const from = checkpoint ? { ...fresh, checkpoint } : fresh;
  const trainable = trainableOf(run.modelConfig, run.config);
  // Memory is short: old values and new ones must not be there at once.
  await run.engine.deleteVariables(trainingVariables(run.modelConfig, new Map(), trainable).keys());
  await setVariables(from);
  Object.assign(progress, progressOf(from), { microBatchSize: progress.microBatchSize });
}
