/**
 * What a training run says while it runs: plain JSON records, numbers with their unit in the name. Notebooks, the command
 * line, the tests and the run log consume the same stream. Nothing here draws or prints.
 */
import type { TrainingConfig } from "../config.js";
import type { TokenProgress } from "../data/token-writer.js";
import type { CompileEvent } from "../engine/watch-compile.js";
import type { DownloadProgress } from "../hub/download.js";

/** First event: what the run is going to do. */
export interface StartEvent {
  readonly type: "start";
  readonly runId: string;
  readonly modelName: string;
  readonly datasetName: string;
  readonly engine: string;
  readonly engineReason: string;
  readonly parameters: number;
  readonly trainTokens: number;
  readonly validationTokens: number;
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly tokensPerStep: number;
  /** Every knob of the run, so that its log explains itself and `fledge resume` needs no other record. */
  readonly config: TrainingConfig;
  /** Optimiser steps already done when a run resumes, else 0. */
  readonly resumedFromStep: number;
  /** What the run said before it was interrupted, so that a chart is whole; absent in a fresh run and in the run log. */
  readonly history?: readonly TrainEvent[];
}

/** Before the first step of a fresh run: what was predicted, and what two steps that change nothing have shown. */
export interface PreflightEvent {
  readonly type: "preflight";
  /** Peak of the whole run, with evaluation, samples and checkpoints. */
  readonly predictedBytes: number;
  /** Peak so far; checkpoints and samples come on top. */
  readonly measuredBytes: number;
  /** Of an optimiser step, from its operations and the engine's speed at matrix products. */
  readonly predictedStepSeconds: number;
  readonly measuredStepSeconds: number;
  readonly totalSteps: number;
  /** Evaluations of the whole run, and what one will take: a token of it a third of what it costs in a step. */
  readonly evaluations: number;
  readonly estimatedEvaluationSeconds: number;
}

/** After every optimiser step. `loss` is nats per token over the whole accumulation window. */
export interface StepEvent {
  readonly type: "step";
  readonly step: number;
  readonly totalSteps: number;
  /** Epochs done, fractional: 1.5 is half-way through the second. */
  readonly epoch: number;
  readonly loss: number;
  readonly gradientNorm: number;
  readonly learningRate: number;
  readonly tokensPerSecond: number;
  readonly etaSeconds: number;
  readonly memoryBytes: number;
}

/** Every `logEverySteps` optimiser steps, and at the end: the mean training loss since the last log. */
export interface LogEvent {
  readonly type: "log";
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate: number;
}

/** Before the first step (step 0) and at every evaluation. */
export interface EvaluationEvent {
  readonly type: "evaluation";
  readonly step: number;
  readonly epoch: number;
  /** Nats per token on the validation set. */
  readonly validationLoss: number;
  /** exp(validationLoss). */
  readonly perplexity: number;
  /** validationLoss / ln 2 × tokens / bytes of the validation text. */
  readonly bitsPerByte: number;
  readonly isBest: boolean;
  /** Evaluations in a row without improvement, towards `earlyStoppingPatience`. */
  readonly evaluationsWithoutImprovement: number;
}

/** What the model makes of one of `samplePrompts`, at every evaluation and with the same seed each time. */
export interface SampleEvent {
  readonly type: "sample";
  readonly step: number;
  readonly prompt: string;
  /** What it added. */
  readonly text: string;
}

/** A checkpoint is whole on disk. */
export interface CheckpointEvent {
  readonly type: "checkpoint";
  readonly step: number;
  readonly folder: string;
  readonly isBest: boolean;
}

/** A step was refused because its loss or gradient was not finite; the weights are unchanged. */
export interface SkippedEvent {
  readonly type: "skipped";
  readonly step: number;
  readonly reason: string;
  /** Blocks of the training text that are not tried again. */
  readonly blocks: readonly number[];
  /** Ids of the documents that these blocks are made of. */
  readonly documents: readonly string[];
}

/** The loss of a step stands far above those before it. The step is made all the same. */
export interface SpikeEvent {
  readonly type: "spike";
  readonly step: number;
  readonly loss: number;
  /** Running mean of the loss before this step. */
  readonly meanLoss: number;
  /** How many running standard deviations the loss stands above that mean. */
  readonly zScore: number;
}

/** Memory ran out; the run goes on in smaller micro-batches of which a step takes more, in the same order. */
export interface OutOfMemoryEvent {
  readonly type: "out-of-memory";
  /** The step from which it goes on: where it stood, or that of its last checkpoint. */
  readonly step: number;
  /** Blocks a micro-batch from now on. */
  readonly microBatchSize: number;
  /** Micro-batches of a full step from now on. */
  readonly microBatches: number;
  readonly reason: string;
}

/** Something the user should know that does not stop the run. */
export interface WarningEvent {
  readonly type: "warning";
  readonly message: string;
}

/** Last event of every run that ended in order. */
export interface FinishEvent {
  readonly type: "finish";
  /** `time-limit`: `maxMinutes` were over. `aborted`: stopped by hand, to be resumed. */
  readonly reason: "completed" | "early-stopping" | "time-limit" | "aborted";
  readonly step: number;
  readonly seconds: number;
  readonly peakMemoryBytes: number;
  readonly baseValidationLoss: number;
  readonly bestValidationLoss: number;
  readonly bestStep: number;
  /** Folder of the saved model in Hugging Face form; absent when the run was aborted. */
  readonly finalModelDir?: string;
}

/** What a run is busy with before it can go on; in no log, and the only events that may come before `start`. */
export type NoticeEvent = CompileEvent | DownloadProgress | TokenProgress;

/** Everything `train()` yields, told apart by `type`. */
export type TrainEvent =
  | StartEvent
  | PreflightEvent
  | StepEvent
  | LogEvent
  | EvaluationEvent
  | SampleEvent
  | CheckpointEvent
  | SkippedEvent
  | SpikeEvent
  | OutOfMemoryEvent
  | WarningEvent
  | NoticeEvent
  | FinishEvent;
