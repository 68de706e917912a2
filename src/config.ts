/**
 * Every knob of a training run, once: default, range, reason. In: what the user set. Out: a whole TrainingConfig that was
 * checked as a whole, before anything is loaded or allocated. It reads no files and no environment.
 * Defaults follow the guide's table (three epochs, batches of 4 × 512, learning rate 2e-5, patience 2).
 */
import { type EngineName, engineNames } from "./engine/engine.js";
import { nearest, problem } from "./message.js";
import { type ScheduleName, scheduleNames } from "./train/schedule.js";

/** A training run. Every knob has a default; set the ones you want to change. */
export interface TrainingConfig {
  /** `fledge-base`, or a folder that holds a GPT-2 in Hugging Face form. Default `fledge-base`. */
  readonly modelName: string;
  /** `pretrained` fine-tunes the model's weights, `random` trains its architecture from scratch. Default `pretrained`. */
  readonly initialWeights: "pretrained" | "random";
  /** `sotu`, a `.txt` file or a folder of them. Default `sotu`. */
  readonly datasetName: string;
  /** Take a seeded sample of this many documents; 0 takes all. Default 0. */
  readonly maxDocuments: number;
  /** Where checkpoints and the run log go. Default `./gpt2_finetuned`. */
  readonly outputDir: string;
  /** Where the finished model goes. Default `./final_model`. */
  readonly finalModelDir: string;
  /** Passes over the training text, ≥ 1. Default 3. */
  readonly numEpochs: number;
  /** Stop after this many optimiser steps; 0 runs all epochs. Default 0. */
  readonly maxSteps: number;
  /** Blocks a micro-batch, ≥ 1: the knob for memory. Default 4. */
  readonly batchSize: number;
  /** Micro-batches an optimiser step, ≥ 1. Default 2. */
  readonly gradientAccumulation: number;
  /** Tokens a block, 2 … the model's positions. Default 512. */
  readonly blockSize: number;
  /** Keep attention inside each document of a block, and count positions from its start. Default false, as GPT-2. */
  readonly separateDocuments: boolean;
  /** Highest learning rate, above 0 and at most 1. Default 2e-5. */
  readonly learningRate: number;
  /** How the rate falls after the warm-up. Default `linear`. */
  readonly schedule: ScheduleName;
  /** Optimiser steps in which the rate rises from 0. Default 0. */
  readonly warmupSteps: number;
  /** AdamW's decoupled decay of matrices and embeddings, 0 … 1. Default 0.01. */
  readonly weightDecay: number;
  /** Gradients are scaled down to this global norm, above 0. Default 1. */
  readonly clipNorm: number;
  /** Evaluations (each with a checkpoint) an epoch, ≥ 1. Default 2, so that patience 2 can stop a run of 3 epochs. */
  readonly evaluationsPerEpoch: number;
  /** Evaluations in a row without improvement that end the run; 0 never ends it early. Default 2. */
  readonly earlyStoppingPatience: number;
  /** Optimiser steps between two `log` events, ≥ 1. Default 50. */
  readonly logEverySteps: number;
  /** Share of the documents that measures the run. Above 0. Default 0.1. */
  readonly validationFraction: number;
  /** Share of the documents kept for the one judgement at the end. Default 0.1. */
  readonly testFraction: number;
  /** Seed of the split, the order of the batches and random weights. Default 42. */
  readonly seed: number;
  /** bfloat16 products: `auto` where the processor or GPU gains from it. Default `auto`. */
  readonly mixedPrecision: boolean | "auto";
  /** Force an engine: `tensorflow`, `wasm` or `cpu`. Default `auto`. */
  readonly engine: EngineName | "auto";
  /** Go on from the newest checkpoint in `outputDir`. Default false: start afresh. */
  readonly resume: boolean;
}

/** The defaults of every knob. */
export const trainingDefaults: TrainingConfig = {
  modelName: "fledge-base",
  initialWeights: "pretrained",
  datasetName: "sotu",
  maxDocuments: 0,
  outputDir: "./gpt2_finetuned",
  finalModelDir: "./final_model",
  numEpochs: 3,
  maxSteps: 0,
  batchSize: 4,
  gradientAccumulation: 2,
  blockSize: 512,
  separateDocuments: false,
  learningRate: 2e-5,
  schedule: "linear",
  warmupSteps: 0,
  weightDecay: 0.01,
  clipNorm: 1,
  evaluationsPerEpoch: 2,
  earlyStoppingPatience: 2,
  logEverySteps: 50,
  validationFraction: 0.1,
  testFraction: 0.1,
  seed: 42,
  mixedPrecision: "auto",
  engine: "auto",
  resume: false,
};

type Knob = keyof TrainingConfig;
interface Rule {
  readonly expected: string;
  accepts(value: unknown): boolean;
}

/**
 * Completes and checks a configuration.
 *
 * @param settings the knobs to change
 * @returns every knob
 * @throws RangeError for an unknown knob (with the nearest known one) or a value out of range
 * @example
 * resolveConfig({ numEpochs: 1 }).batchSize; // 4
 */
export function resolveConfig(settings: Partial<TrainingConfig> = {}): TrainingConfig {
  const known = Object.keys(trainingDefaults);
  for (const name of Object.keys(settings)) {
    if (!known.includes(name)) throw unknownKnob(name, known);
  }
  const defined = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const config: TrainingConfig = { ...trainingDefaults, ...defined };
  for (const name of known as Knob[]) check(name, config[name], rules[name]);
  if (config.validationFraction + config.testFraction >= 1) {
    throw new RangeError(
      problem({
        cannot: "split the dataset",
        found: `validationFraction ${config.validationFraction} and testFraction ${config.testFraction}`,
        expected: "a sum below 1, so that something is left to train on",
        fix: "set validationFraction: 0.1 and testFraction: 0.1",
      }),
    );
  }
  checkEarlyStopping(config);
  return config;
}

const positiveInteger: Rule = { expected: "an integer ≥ 1", accepts: (value) => isInteger(value) && value >= 1 };
const naturalNumber: Rule = { expected: "an integer ≥ 0", accepts: (value) => isInteger(value) && value >= 0 };
const text: Rule = {
  expected: "a text that is not empty",
  accepts: (value) => typeof value === "string" && value !== "",
};
const truth: Rule = { expected: "true or false", accepts: (value) => typeof value === "boolean" };

const rules: Readonly<Record<Knob, Rule>> = {
  modelName: text,
  initialWeights: oneOf(["pretrained", "random"]),
  datasetName: text,
  maxDocuments: naturalNumber,
  outputDir: text,
  finalModelDir: text,
  numEpochs: positiveInteger,
  maxSteps: naturalNumber,
  batchSize: positiveInteger,
  gradientAccumulation: positiveInteger,
  blockSize: { expected: "an integer ≥ 2", accepts: (value) => isInteger(value) && value >= 2 },
  separateDocuments: truth,
  learningRate: between("above 0 and at most 1", (value) => value > 0 && value <= 1),
  schedule: oneOf(scheduleNames),
  warmupSteps: naturalNumber,
  weightDecay: between("from 0 to 1", (value) => value >= 0 && value <= 1),
  clipNorm: between("above 0", (value) => value > 0),
  evaluationsPerEpoch: positiveInteger,
  earlyStoppingPatience: naturalNumber,
  logEverySteps: positiveInteger,
  validationFraction: between("above 0 and below 1", (value) => value > 0 && value < 1),
  testFraction: between("from 0 to below 1", (value) => value >= 0 && value < 1),
  seed: naturalNumber,
  mixedPrecision: {
    expected: 'true, false or "auto"',
    accepts: (value) => typeof value === "boolean" || value === "auto",
  },
  engine: oneOf([...engineNames, "auto"]),
  resume: truth,
};

// The first evaluation nearly always improves on the base model, so stopping takes one more than the patience.
function checkEarlyStopping({ earlyStoppingPatience, evaluationsPerEpoch, numEpochs }: TrainingConfig): void {
  const evaluations = evaluationsPerEpoch * numEpochs;
  if (earlyStoppingPatience === 0 || earlyStoppingPatience + 1 < evaluations) return;
  const more = Math.floor((earlyStoppingPatience + 1) / numEpochs) + 1;
  throw new RangeError(
    problem({
      cannot: `use earlyStoppingPatience: ${earlyStoppingPatience}`,
      found: `${evaluations} evaluations in the whole run, so that it could never stop early`,
      expected: `more than ${earlyStoppingPatience + 1} evaluations`,
      fix: `set evaluationsPerEpoch: ${more}, or earlyStoppingPatience: 0 to run all epochs`,
    }),
  );
}

function unknownKnob(name: string, known: readonly string[]): RangeError {
  const near = nearest(name, known);
  return new RangeError(
    problem({
      cannot: "read the training configuration",
      found: `a knob named "${name}"`,
      expected: near ? `"${near}"` : `one of ${known.join(", ")}`,
      fix: near ? `rename it to ${near}` : `remove ${name}`,
    }),
  );
}

function check(name: Knob, value: unknown, rule: Rule): void {
  if (rule.accepts(value)) return;
  const fix = `set ${name}: ${JSON.stringify(trainingDefaults[name])}, the default`;
  const found = typeof value === "string" ? JSON.stringify(value) : String(value);
  const sameType = typeof value === typeof trainingDefaults[name];
  const Kind = sameType ? RangeError : TypeError;
  throw new Kind(problem({ cannot: `use ${name}`, found, expected: rule.expected, fix }));
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function between(expected: string, accepts: (value: number) => boolean): Rule {
  return {
    expected: `a number ${expected}`,
    accepts: (value) => typeof value === "number" && Number.isFinite(value) && accepts(value),
  };
}

function oneOf(values: readonly string[]): Rule {
  return {
    expected: values.map((value) => JSON.stringify(value)).join(" or "),
    accepts: (value) => typeof value === "string" && values.includes(value),
  };
}
