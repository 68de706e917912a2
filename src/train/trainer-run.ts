/**
 * What a training run is made of, what it keeps, and what it leaves. Types, and the record of its progress that a
 * checkpoint stores. The plan of its steps is plan.ts. It runs nothing.
 */
import type { TrainingConfig } from "../config.js";
import type { PackedBlocks } from "../data/pack.js";
import type { Engine } from "../engine/engine.js";
import type { Gpt2Config } from "../model/gpt2-config.js";
import type { CheckpointHead } from "./checkpoint.js";
import type { FinishEvent, SampleEvent } from "./events.js";
import type { RunPlan } from "./plan.js";
import type { RunLog } from "./run-log.js";
import { learningRateAt } from "./schedule.js";
import { type LossStatistics, noLosses } from "./spikes.js";

/** Everything a run is made of, loaded and checked. */
export interface TrainingRun {
  readonly config: TrainingConfig;
  readonly engine: Engine;
  readonly engineReason: string;
  readonly runId: string;
  readonly modelConfig: Gpt2Config;
  /** Reads the model's own weights, or draws them: a run holds none, since the engine has them. */
  readonly readWeights: () => Promise<ReadonlyMap<string, Float32Array>>;
  readonly train: PackedBlocks;
  readonly validation: PackedBlocks;
  /** Hashes of model, data, tokenizer, split and knobs; a checkpoint of another run is refused by their names. */
  readonly identity: Readonly<Record<string, string>>;
  readonly tokenizerFolder: string;
  readonly checkpoint?: CheckpointHead;
  /** Lets the model write where it stands; asked at every evaluation. */
  readonly sample?: (step: number) => Promise<SampleEvent[]>;
  /** What was predicted; given, two steps are measured before the first one of a fresh run. */
  readonly preflight?: { readonly bytes: number; readonly seconds: number };
  /** The run log, for what a checkpoint remembers of it. */
  readonly log?: Pick<RunLog, "sync" | "cut">;
  readonly signal?: AbortSignal;
  /** Told the step of the checkpoint with which an aborted run pauses. */
  readonly onPaused?: (step: number) => void;
  /** Milliseconds from any fixed point. */
  readonly now: () => number;
}

/** What a run leaves. */
export interface TrainingResult {
  /** Those of the best evaluation, or the last ones where `keepBest` is off. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly step: number;
  readonly reason: FinishEvent["reason"];
  readonly seconds: number;
  readonly best: BestEvaluation;
  /** Validation loss of `weights`. */
  readonly validationLoss: number;
  readonly baseLoss: number;
}

/** The evaluation with the lowest validation loss, nats per token. */
export interface BestEvaluation {
  readonly step: number;
  readonly validationLoss: number;
}

/** What a checkpoint keeps besides the weights: everything that decides how the run goes on. Plain JSON. */
export interface Progress {
  step: number;
  /** Step of the last evaluation; an evaluation that a stop has cut off is made up for. */
  evaluatedStep: number;
  baseLoss: number;
  best: BestEvaluation;
  /** Loss of the last evaluation, and of the last that was better by `minDelta`: what early stopping measures by. */
  lastLoss: number;
  improvedLoss: number;
  evaluationsWithoutImprovement: number;
  logNats: number;
  logTokens: number;
  /** Blocks a micro-batch: `batchSize`, until memory runs out. */
  microBatchSize: number;
  /** Blocks of the training text whose loss or gradient was not finite; they are left out. */
  quarantined: number[];
  refusalsInARow: number;
  /** Running statistics of the loss, by which a spike is known. */
  lossStatistics: LossStatistics;
  /** Bytes of the run log at the checkpoint. */
  logBytes: number;
  /** Training time so far, over all processes that had a part in the run. */
  seconds: number;
}

/** The progress of a run that has not begun, or that of its checkpoint. */
export function progressOf({ checkpoint, config }: Pick<TrainingRun, "checkpoint" | "config">): Progress {
  if (checkpoint) {
    const progress = structuredClone(checkpoint.state.progress) as Progress;
    // A smaller batchSize, allowed by resumeAnyway, is asked for because memory ran out.
    return { ...progress, microBatchSize: Math.min(progress.microBatchSize, config.batchSize) };
  }
  return {
    step: 0,
    evaluatedStep: -1,
    baseLoss: Number.NaN,
    best: { step: 0, validationLoss: Number.POSITIVE_INFINITY },
    lastLoss: Number.NaN,
    improvedLoss: Number.POSITIVE_INFINITY,
    evaluationsWithoutImprovement: 0,
    logNats: 0,
    logTokens: 0,
    microBatchSize: config.batchSize,
    quarantined: [],
    refusalsInARow: 0,
    lossStatistics: noLosses,
    logBytes: 0,
    seconds: 0,
  };
}

/**
 * Learning rate of a step of the run.
 *
 * @param step steps already made: 0 for the first one
 */
export function learningRateOf(config: TrainingConfig, plan: RunPlan, step: number): number {
  return learningRateAt({ ...config, name: config.schedule, totalSteps: plan.total }, step);
}

/** Settings that make a run calmer, for messages. */
export function calmerSettings({ learningRate, warmupSteps }: TrainingConfig): string {
  return `set learningRate: ${learningRate / 10}, or warmupSteps: ${Math.max(100, warmupSteps * 2)}`;
}
