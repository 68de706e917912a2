/**
 * The training loop. In: an engine with nothing on it, a model, packed blocks, a checked configuration, a clock and the
 * place for checkpoints. Out: a stream of events; the best weights are returned at the end. It loads no files by name,
 * draws nothing and prints nothing. When its consumer leaves early, it writes a checkpoint at the step boundary.
 */
import { join } from "node:path";
import type { TrainingConfig } from "../config.js";
import { type Batch, batchCount, evaluationBatches, trainingBatches } from "../data/batches.js";
import type { PackedBlocks } from "../data/pack.js";
import type { Engine } from "../engine/engine.js";
import { problem } from "../message.js";
import { type Gpt2Config, weightShapes } from "../model/gpt2-config.js";
import {
  checkpointName,
  type LoadedCheckpoint,
  loadCheckpoint,
  pruneCheckpoints,
  saveCheckpoint,
} from "./checkpoint.js";
import type { EvaluationEvent, TrainEvent } from "./events.js";
import {
  compileEvaluation,
  compileTraining,
  firstMoment,
  secondMoment,
  type TrainingSteps,
  trainingVariables,
} from "./optimizer.js";
import { learningRateAt } from "./schedule.js";

/** Everything a run is made of, loaded and checked. */
export interface TrainingRun {
  readonly config: TrainingConfig;
  readonly engine: Engine;
  readonly engineReason: string;
  readonly runId: string;
  readonly modelConfig: Gpt2Config;
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly train: PackedBlocks;
  readonly validation: PackedBlocks;
  /** Hashes of model, data, tokenizer, split and knobs; a checkpoint of another run is refused by their names. */
  readonly identity: Readonly<Record<string, string>>;
  readonly tokenizerFolder: string;
  readonly checkpoint?: LoadedCheckpoint;
  readonly signal?: AbortSignal;
  /** Milliseconds from any fixed point. */
  readonly now: () => number;
}

/** What a run leaves: the weights with the lowest validation loss. */
export interface TrainingResult {
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly step: number;
  readonly reason: "completed" | "early-stopping" | "aborted";
  readonly seconds: number;
  readonly best: BestEvaluation;
  readonly baseLoss: number;
}

interface BestEvaluation {
  readonly step: number;
  readonly validationLoss: number;
}

// What a checkpoint keeps besides the weights: everything that decides how the run goes on.
interface Progress {
  step: number;
  /** Step of the last evaluation; an evaluation that a stop has cut off is made up for. */
  evaluatedStep: number;
  baseLoss: number;
  best: BestEvaluation;
  evaluationsWithoutImprovement: number;
  logNats: number;
  logTokens: number;
  /** Training time so far, over all processes that had a part in the run. */
  seconds: number;
}

/** Refused steps in a row after which a run gives up. */
const refusalsBeforeStop = 3;

/**
 * Trains.
 *
 * @returns after the last event: the best weights and how the run ended
 * @throws RangeError when three steps in a row are not finite
 */
export async function* runTraining(run: TrainingRun): AsyncGenerator<TrainEvent, TrainingResult> {
  return yield* new Trainer(run).events();
}

/** Optimiser steps of an epoch and of the whole run. */
export function countSteps(config: TrainingConfig, train: PackedBlocks): { perEpoch: number; total: number } {
  const perEpoch = Math.ceil(batchCount(train, config.batchSize) / config.gradientAccumulation);
  const all = perEpoch * config.numEpochs;
  return { perEpoch, total: config.maxSteps > 0 ? Math.min(all, config.maxSteps) : all };
}

class Trainer {
  private readonly progress: Progress;
  private readonly perEpoch: number;
  private readonly total: number;
  private readonly started: number;
  private readonly firstStep: number;
  private readonly secondsBefore: number;
  private readonly evaluationSteps: ReadonlySet<number>;
  private refusals = 0;
  private batches: Generator<Batch> | undefined;

  constructor(private readonly run: TrainingRun) {
    const { perEpoch, total } = countSteps(run.config, run.train);
    this.perEpoch = perEpoch;
    this.total = total;
    this.started = run.now();
    this.evaluationSteps = evaluationSteps(perEpoch, total, run.config);
    this.progress = run.checkpoint
      ? { ...(run.checkpoint.state.progress as Progress) }
      : {
          step: 0,
          evaluatedStep: -1,
          baseLoss: Number.NaN,
          best: { step: 0, validationLoss: Number.POSITIVE_INFINITY },
          evaluationsWithoutImprovement: 0,
          logNats: 0,
          logTokens: 0,
          seconds: 0,
        };
    this.firstStep = this.progress.step;
    this.secondsBefore = this.progress.seconds;
  }

  async *events(): AsyncGenerator<TrainEvent, TrainingResult> {
    const { run, progress } = this;
    const { config, modelConfig, engine } = run;
    await engine.createVariables(trainingVariables(modelConfig, this.initialValues()));
    const separateDocuments = run.train.documentEnd !== undefined;
    const shape = { B: config.batchSize, T: config.blockSize, separateDocuments };
    const steps = await compileTraining(engine, modelConfig, shape);
    const evaluate = await compileEvaluation(engine, modelConfig, shape);
    let saved = run.checkpoint ? progress.step : 0;
    let atBoundary = false;
    let reason: TrainingResult["reason"] = "completed";
    try {
      while (true) {
        if (this.evaluationSteps.has(progress.step) && progress.evaluatedStep !== progress.step) {
          atBoundary = false;
          const evaluation = await this.evaluate(evaluate);
          const folder = progress.step > 0 ? await this.save() : undefined;
          saved = progress.step;
          atBoundary = true;
          yield evaluation;
          if (folder) yield { type: "checkpoint", step: saved, folder, isBest: evaluation.isBest };
        }
        const { earlyStoppingPatience } = config;
        if (earlyStoppingPatience > 0 && progress.evaluationsWithoutImprovement >= earlyStoppingPatience) {
          reason = "early-stopping";
          break;
        }
        if (progress.step >= this.total) break;
        if (run.signal?.aborted) {
          reason = "aborted";
          break;
        }
        atBoundary = false;
        const stepEvents = await this.step(steps);
        atBoundary = true;
        for (const event of stepEvents) yield event;
      }
      const last = reason === "aborted" ? undefined : this.flushLog();
      if (last) yield last;
      if (saved < progress.step) {
        const folder = await this.save();
        saved = progress.step;
        yield { type: "checkpoint", step: saved, folder, isBest: false };
      }
    } finally {
      // The consumer left between two steps (a break, or Stop in a notebook): nothing of the run is lost.
      if (atBoundary && saved < progress.step) await this.save();
    }
    return {
      weights: await this.bestWeights(),
      step: progress.step,
      reason,
      seconds: this.secondsBefore + this.elapsed(),
      best: progress.best,
      baseLoss: progress.baseLoss,
    };
  }

  // One optimiser step over a whole accumulation window; the loss is summed over its tokens and divided by their number.
  private async step(steps: TrainingSteps): Promise<TrainEvent[]> {
    const { config, train, now } = this.run;
    const { progress } = this;
    const began = now();
    let nats = 0;
    let tokens = 0;
    for (const batch of this.window(train)) {
      nats += await steps.accumulate(batch);
      tokens += batch.targetCount;
    }
    const gradientNorm = (await steps.gradientNorm()) / tokens;
    const loss = nats / tokens;
    const learningRate = this.learningRate(progress.step);
    progress.step++;
    const epoch = progress.step / this.perEpoch;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      await steps.discard();
      return [this.refuse(loss, gradientNorm)];
    }
    this.refusals = 0;
    const clipping = Math.min(1, config.clipNorm / (gradientNorm + 1e-6));
    const update = { step: progress.step, learningRate, weightDecay: config.weightDecay };
    await steps.update({ ...update, gradientScale: clipping / tokens });
    progress.logNats += nats;
    progress.logTokens += tokens;
    const seconds = (now() - began) / 1000;
    const secondsPerStep = this.elapsed() / (progress.step - this.firstStep);
    const event: TrainEvent = {
      type: "step",
      step: progress.step,
      totalSteps: this.total,
      epoch,
      loss,
      gradientNorm,
      learningRate,
      tokensPerSecond: tokens / seconds,
      etaSeconds: (this.total - progress.step) * secondsPerStep,
      memoryBytes: process.memoryUsage.rss(),
    };
    const log = progress.step % config.logEverySteps === 0 ? this.flushLog() : undefined;
    return log ? [event, log] : [event];
  }

  private refuse(loss: number, gradientNorm: number): TrainEvent {
    const found = `loss ${loss} and gradient norm ${gradientNorm}`;
    if (++this.refusals >= refusalsBeforeStop) {
      throw new RangeError(
        problem({
          cannot: "go on training",
          found: `${found} in ${refusalsBeforeStop} steps in a row; the weights are those of the last good step`,
          expected: "finite numbers",
          fix: this.calmer(),
        }),
      );
    }
    return { type: "skipped", step: this.progress.step, reason: `${found}: the weights are unchanged` };
  }

  private elapsed(): number {
    return (this.run.now() - this.started) / 1000;
  }

  private calmer(): string {
    const { learningRate, warmupSteps } = this.run.config;
    return `set learningRate: ${learningRate / 10}, or warmupSteps: ${Math.max(100, warmupSteps * 2)}`;
  }

  // The batches of an epoch are shuffled once, and taken up where a resumed run stands.
  private *window(train: PackedBlocks): Generator<Batch> {
    const { batchSize, gradientAccumulation, seed } = this.run.config;
    const { step } = this.progress;
    const stepOfEpoch = step % this.perEpoch;
    if (stepOfEpoch === 0 || !this.batches) {
      const epoch = Math.floor(step / this.perEpoch);
      const startBatch = stepOfEpoch * gradientAccumulation;
      this.batches = trainingBatches(train, { batchSize, seed, epoch, startBatch });
    }
    for (let taken = 0; taken < gradientAccumulation; taken++) {
      const next = this.batches.next();
      if (next.done) return;
      yield next.value;
    }
  }

  private learningRate(step: number): number {
    const { config } = this.run;
    return learningRateAt({ ...config, name: config.schedule, totalSteps: this.total }, step);
  }

  private async evaluate(evaluate: Awaited<ReturnType<typeof compileEvaluation>>): Promise<EvaluationEvent> {
    const { progress, run } = this;
    const { validation, config } = run;
    const { loss: validationLoss } = await meanLoss(evaluate, validation, config.batchSize);
    if (!Number.isFinite(validationLoss)) {
      throw new RangeError(
        problem({
          cannot: `evaluate the model at step ${progress.step}`,
          found: `validation loss ${validationLoss}`,
          expected: "a finite number",
          fix: progress.step === 0 ? "choose another model: the weights of this one are damaged" : this.calmer(),
        }),
      );
    }
    const isBest = validationLoss < progress.best.validationLoss;
    if (isBest) progress.best = { step: progress.step, validationLoss };
    progress.evaluationsWithoutImprovement = isBest ? 0 : progress.evaluationsWithoutImprovement + 1;
    if (progress.step === 0) progress.baseLoss = validationLoss;
    progress.evaluatedStep = progress.step;
    return {
      type: "evaluation",
      step: progress.step,
      epoch: progress.step / this.perEpoch,
      validationLoss,
      ...readableLoss(validationLoss, validation),
      isBest,
      evaluationsWithoutImprovement: progress.evaluationsWithoutImprovement,
    };
  }

  private flushLog(): TrainEvent | undefined {
    const { progress } = this;
    if (progress.logTokens === 0) return undefined;
    const loss = progress.logNats / progress.logTokens;
    progress.logNats = 0;
    progress.logTokens = 0;
    const { step } = progress;
    return { type: "log", step, epoch: step / this.perEpoch, loss, learningRate: this.learningRate(step - 1) };
  }

  private async save(): Promise<string> {
    const { run, progress } = this;
    const { outputDir } = run.config;
    progress.seconds = this.secondsBefore + this.elapsed();
    const names = [...weightShapes(run.modelConfig).keys()];
    const read = async (nameOf: (weight: string) => string) => {
      const values = await run.engine.readVariables(names.map(nameOf));
      return new Map(names.map((name) => [name, values.get(nameOf(name)) as Float32Array]));
    };
    const folder = await saveCheckpoint(outputDir, {
      step: progress.step,
      runId: run.runId,
      config: run.modelConfig,
      weights: await read((name) => name),
      optimizer: { m: await read(firstMoment), v: await read(secondMoment) },
      state: { progress, identity: run.identity },
      tokenizerFolder: run.tokenizerFolder,
    });
    // The best and the last of this run stay; so nothing of an earlier run goes before there is something to replace it.
    await pruneCheckpoints(outputDir, [checkpointName(progress.best.step), folder]);
    return folder;
  }

  private initialValues(): Map<string, Float32Array> {
    const { checkpoint, weights } = this.run;
    if (!checkpoint) return new Map(weights);
    const values = new Map(checkpoint.weights);
    for (const [name, value] of checkpoint.optimizer.m) values.set(firstMoment(name), value);
    for (const [name, value] of checkpoint.optimizer.v) values.set(secondMoment(name), value);
    return values;
  }

  private async bestWeights(): Promise<ReadonlyMap<string, Float32Array>> {
    const { best } = this.progress;
    if (best.step === 0) return this.run.weights;
    return (await loadCheckpoint(join(this.run.config.outputDir, checkpointName(best.step)))).weights;
  }
}

/** Mean loss over blocks, in nats per token, and the number of tokens it was measured on. */
export async function meanLoss(
  evaluate: Awaited<ReturnType<typeof compileEvaluation>>,
  blocks: PackedBlocks,
  batchSize: number,
): Promise<{ loss: number; tokens: number }> {
  let nats = 0;
  let tokens = 0;
  for (const batch of evaluationBatches(blocks, { batchSize })) {
    nats += await evaluate(batch);
    tokens += batch.targetCount;
  }
  return { loss: nats / tokens, tokens };
}

/**
 * A loss in the other two units that people compare.
 *
 * @param loss nats per token
 * @returns perplexity = e^loss; bits per byte = loss / ln 2 × tokens / bytes, comparable between tokenizers
 */
export function readableLoss(loss: number, blocks: PackedBlocks): { perplexity: number; bitsPerByte: number } {
  const bitsPerByte = (loss / Math.LN2) * (blocks.sourceTokens / blocks.textBytes);
  return { perplexity: Math.exp(loss), bitsPerByte };
}

function evaluationSteps(perEpoch: number, total: number, config: TrainingConfig): Set<number> {
  const steps = new Set<number>([0, total]);
  for (let epoch = 0; epoch < config.numEpochs; epoch++) {
    for (let part = 1; part <= config.evaluationsPerEpoch; part++) {
      const step = epoch * perEpoch + Math.round((perEpoch * part) / config.evaluationsPerEpoch);
      if (step > 0 && step <= total) steps.add(step);
    }
  }
  return steps;
}
