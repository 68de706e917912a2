/**
 * One optimiser step: a whole accumulation window, its loss summed over its tokens and divided by their number. In: compiled
 * steps, the run's progress, which moves on by one. Out: events. A loss or gradient that is not finite never reaches the
 * weights.
 */
import { type Batch, trainingBatches } from "../data/batches.js";
import { problem } from "../message.js";
import type { LogEvent, SkippedEvent, TrainEvent } from "./events.js";
import type { TrainingSteps } from "./optimizer.js";
import type { RunPlan } from "./plan.js";
import { calmerSettings, learningRateOf, type Progress, type TrainingRun } from "./trainer-run.js";

/** Refused steps in a row after which a run gives up. */
const refusalsBeforeStop = 3;

/** Makes the steps of a run one after the other. */
export class Stepper {
  private refusals = 0;
  private batches: Generator<Batch> | undefined;
  private readonly firstStep: number;

  /** @param elapsedSeconds training time of this process */
  constructor(
    private readonly run: TrainingRun,
    private readonly plan: RunPlan,
    private readonly progress: Progress,
    private readonly elapsedSeconds: () => number,
  ) {
    this.firstStep = progress.step;
  }

  /**
   * Makes one step.
   *
   * @throws RangeError when three steps in a row are not finite
   */
  async step(steps: TrainingSteps): Promise<TrainEvent[]> {
    const { run, plan, progress } = this;
    const { config, now } = run;
    const began = now();
    const window = [...this.window()];
    const last = window.pop() as Batch;
    for (const batch of window) await steps.accumulate(batch);
    const tokens = window.reduce((sum, batch) => sum + batch.targetCount, last.targetCount);
    const learningRate = learningRateOf(config, plan, progress.step);
    const { weightDecay, clipNorm } = config;
    const update = { step: progress.step + 1, learningRate, weightDecay, clipNorm, tokens };
    const { nats, gradientNorm } = await steps.step(last, update);
    const loss = nats / tokens;
    progress.step++;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) return [this.refuse(loss, gradientNorm)];
    this.refusals = 0;
    progress.logNats += nats;
    progress.logTokens += tokens;
    const secondsPerStep = this.elapsedSeconds() / (progress.step - this.firstStep);
    const event: TrainEvent = {
      type: "step",
      step: progress.step,
      totalSteps: plan.total,
      epoch: progress.step / plan.perEpoch,
      loss,
      gradientNorm,
      learningRate,
      tokensPerSecond: tokens / ((now() - began) / 1000),
      etaSeconds: (plan.total - progress.step) * secondsPerStep,
      memoryBytes: process.memoryUsage.rss(),
    };
    const log = progress.step % config.logEverySteps === 0 ? this.flushLog() : undefined;
    return log ? [event, log] : [event];
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

  private refuse(loss: number, gradientNorm: number): SkippedEvent {
    const found = `loss ${loss} and gradient norm ${gradientNorm}`;
    if (++this.refusals >= refusalsBeforeStop) {
      throw new RangeError(
        problem({
          cannot: "go on training",
          found: `${found} in ${refusalsBeforeStop} steps in a row; the weights are those of the last good step`,
          expected: "finite numbers",
          fix: calmerSettings(this.run.config),
        }),
      );
    }
    return { type: "skipped", step: this.progress.step, reason: `${found}: the weights are unchanged` };
  }

  // The batches of an epoch are shuffled once, and taken up where a resumed run stands.
  private *window(): Generator<Batch> {
    const { train, config } = this.run;
    const { batchSize, gradientAccumulation, seed } = config;
    const { step } = this.progress;
    const stepOfEpoch = step % this.plan.perEpoch;
    if (stepOfEpoch === 0 || !this.batches) {
      const epoch = Math.floor(step / this.plan.perEpoch);
      const startBatch = stepOfEpoch * gradientAccumulation;
      this.batches = trainingBatches(train, { batchSize, seed, epoch, startBatch });
    }
    for (let taken = 0; taken < gradientAccumulation; taken++) {
      const next = this.batches.next();
      if (next.done) return;
      yield next.value;
    }
  }
}
