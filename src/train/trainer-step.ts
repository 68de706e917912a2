/**
 * One optimiser step: a whole accumulation window, its loss summed over its tokens and divided by their number. In: compiled
 * steps, the run's progress, which moves on by one. Out: events. A loss or gradient that is not finite never reaches the
 * weights, and the blocks that made it are left out from then on.
 */
import { type Batch, batchesOf, epochOrder } from "../data/batches.js";
import { keyOf } from "../engine/random-numbers.js";
import { problem } from "../message.js";
import type { LogEvent, SkippedEvent, StepEvent, TrainEvent } from "./events.js";
import type { MicroBatch, StepResult, TrainingSteps } from "./optimizer.js";
import type { RunPlan } from "./plan.js";
import { nextLoss } from "./spikes.js";
import { calmerSettings, learningRateOf, type Progress, type TrainingRun } from "./trainer-run.js";

/** Refused steps in a row after which a run gives up. */
const refusalsBeforeStop = 3;

/** Makes the steps of a run one after the other. */
export class Stepper {
  private order: { readonly epoch: number; readonly blocks: Uint32Array } | undefined;
  private readonly firstStep: number;
  private stepSeconds = 0;
  /** What the last evaluation took. */
  evaluationSeconds = 0;
  /** Whether the last step failed in the update itself, which may have changed some of the weights. */
  isTorn = false;

  constructor(
    private readonly run: TrainingRun,
    private readonly plan: RunPlan,
    private readonly progress: Progress,
  ) {
    this.firstStep = progress.step;
  }

  /**
   * Makes one step. When it throws, the progress is that of before it.
   *
   * @throws RangeError when three steps in a row are not finite
   */
  async step(steps: TrainingSteps): Promise<TrainEvent[]> {
    const { run, plan, progress } = this;
    const { weightDecay, clipNorm, logEverySteps } = run.config;
    const began = run.now();
    const blocks = this.window();
    if (blocks.length === 0) {
      progress.step++;
      return [this.skipped("every block of it was refused before", [])];
    }
    const batches = this.batches(blocks);
    const tokens = batches.reduce((sum, batch) => sum + batch.targetCount, 0);
    const learningRate = learningRateOf(run.config, plan, progress.step);
    const update = { step: progress.step + 1, learningRate, weightDecay, clipNorm, tokens };
    const nats: number[] = [];
    const last = batches.pop() as MicroBatch;
    this.isTorn = false;
    for (const batch of batches) nats.push(await steps.accumulate(batch));
    this.isTorn = true;
    const result = await steps.step(last, update);
    this.isTorn = false;
    progress.step++;
    const loss = result.nats / tokens;
    if (!Number.isFinite(loss) || !Number.isFinite(result.gradientNorm)) return [this.refuse(result, nats, blocks)];
    progress.refusalsInARow = 0;
    progress.logNats += result.nats;
    progress.logTokens += tokens;
    const seconds = (run.now() - began) / 1000;
    this.stepSeconds += seconds;
    const event: StepEvent = {
      type: "step",
      step: progress.step,
      totalSteps: plan.total,
      epoch: progress.step / plan.perEpoch,
      loss,
      gradientNorm: result.gradientNorm,
      learningRate,
      tokensPerSecond: tokens / seconds,
      etaSeconds: this.secondsLeft(),
      memoryBytes: process.memoryUsage.rss(),
    };
    const log = progress.step % logEverySteps === 0 ? this.flushLog() : undefined;
    return [event, ...this.spike(loss), ...(log ? [log] : [])];
  }

  private secondsLeft(): number {
    const { step } = this.progress;
    const evaluations = [...this.plan.evaluationSteps].filter((due) => due >= step).length;
    const perStep = this.stepSeconds / Math.max(1, step - this.firstStep);
    return (this.plan.total - step) * perStep + evaluations * this.evaluationSeconds;
  }

  /** The mean training loss since the last log, or undefined when there was no step. */
  flushLog(): LogEvent | undefined {
    const { run, plan, progress } = this;
    const { step } = progress;
    if (progress.logTokens === 0) return undefined;
    const loss = progress.logNats / progress.logTokens;
    progress.logNats = 0;
    progress.logTokens = 0;
    const learningRate = learningRateOf(run.config, plan, step - 1);
    return { type: "log", step, epoch: step / plan.perEpoch, loss, learningRate };
  }

  private spike(loss: number): TrainEvent[] {
    const { progress } = this;
    const { mean: meanLoss } = progress.lossStatistics;
    const { statistics, zScore } = nextLoss(progress.lossStatistics, loss);
    progress.lossStatistics = statistics;
    return zScore === undefined ? [] : [{ type: "spike", step: progress.step, loss, meanLoss, zScore }];
  }

  // The key of a micro-batch hangs on seed, step and place alone: a resumed run draws what the whole one draws.
  private batches(blocks: Uint32Array): (MicroBatch & Batch)[] {
    const { run, progress } = this;
    const { seed, dropout } = run.config;
    return [...batchesOf(run.train, blocks, progress.microBatchSize)].map((batch, i) =>
      dropout > 0 ? { ...batch, randomKey: Int32Array.from(keyOf(seed, progress.step, i)) } : batch,
    );
  }

  /** @param nats summed losses of all micro-batches but the last */
  private refuse(result: StepResult, nats: readonly number[], window: Uint32Array): SkippedEvent {
    const { progress, run } = this;
    const blocks = blamed(result.nats, nats, window, progress.microBatchSize);
    progress.quarantined.push(...blocks);
    const found = `loss ${result.nats} and gradient norm ${result.gradientNorm}`;
    const event = this.skipped(`${found}: the weights are unchanged`, blocks);
    if (++progress.refusalsInARow < refusalsBeforeStop) return event;
    const inARow = `in ${refusalsBeforeStop} steps in a row, the last on ${listed(event.documents)}`;
    throw new RangeError(
      problem({
        cannot: "go on training",
        found: `${found} ${inARow}; the weights are those of the last good step`,
        expected: "finite numbers",
        fix: calmerSettings(run.config),
      }),
    );
  }

  private skipped(reason: string, blocks: readonly number[]): SkippedEvent {
    const documents = [...new Set(blocks.flatMap((block) => this.run.train.documentsOf(block)))];
    return { type: "skipped", step: this.progress.step, reason, blocks, documents };
  }

  // Blocks of the next step. An epoch is shuffled once, and taken up where a resumed run stands.
  private window(): Uint32Array {
    const { train, config } = this.run;
    const { step, quarantined } = this.progress;
    const epoch = Math.floor(step / this.plan.perEpoch);
    if (this.order?.epoch !== epoch) this.order = { epoch, blocks: epochOrder(train, { seed: config.seed, epoch }) };
    const size = config.batchSize * config.gradientAccumulation;
    const begin = (step % this.plan.perEpoch) * size;
    return this.order.blocks.subarray(begin, begin + size).filter((block) => !quarantined.includes(block));
  }
}

// The blocks of the micro-batches whose loss is not finite. The loss of the last one is known only as part of the whole,
// and where every loss is finite but the gradient is not, the whole window is to blame.
function blamed(total: number, nats: readonly number[], window: Uint32Array, size: number): number[] {
  const bad = nats.flatMap((value, i) => (Number.isFinite(value) ? [] : [i]));
  if (bad.length === 0 && !Number.isFinite(total)) bad.push(nats.length);
  if (bad.length === 0) return [...window];
  return bad.flatMap((i) => [...window.subarray(i * size, (i + 1) * size)]);
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `"${name}"`);
  return `document ${shown.join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""}`;
}
