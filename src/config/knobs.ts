/**
 * Every knob of a training run, once: what it does, default, range, unit and reason. The type TrainingConfig, the checks,
 * the options of `fledge train` and the variables of the environment are all made from this table. Where a default is not
 * explained otherwise it is the guide's: three epochs, batches of 4 × 512, learning rate 2e-5, patience 2.
 * After a change: `npm run build && node dist/test/config/make-training-config.js`.
 */
import { engineNames } from "../engine/engine.js";
import { scheduleNames } from "../train/schedule.js";
import { choice, integer, type Knob, number, text, texts, truth, truthOrAuto } from "./knob.js";

const modelAndData = {
  modelName: text({
    about: "`fledge-base`, a GPT-2 of the Hugging Face Hub such as `distilgpt2`, or a folder that holds one",
    default: "fledge-base",
    reason: "it travels with Fledge and needs no network",
  }),
  modelRevision: text({
    about: "Branch, tag, `refs/pr/<number>` or commit of a model of the Hub",
    default: "main",
    reason: "what its owner shows",
  }),
  initialWeights: choice(
    {
      about: "`pretrained` fine-tunes the model's weights, `random` trains its architecture from scratch",
      default: "pretrained",
      reason: "a pretrained model needs a thousandth of the text",
    },
    ["pretrained", "random"],
  ),
  datasetName: text({
    about:
      "An embedded text (`sotu`, `shakespeare`, `readmes`), a file or folder of texts or rows, or `owner/name` of the Hub",
    default: "sotu",
    reason: "the embedded text needs no network",
  }),
  datasetRevision: text({
    about:
      "Branch, tag, `refs/pr/<number>` or commit of a dataset of the Hub; `auto` takes main, else the Hub's parquet files",
    default: "auto",
    reason: "where the texts are",
  }),
  textColumn: text({
    about: "Column of the texts in JSONL, CSV and parquet; `auto` guesses it and says why",
    default: "auto",
    reason: "most name it `text`",
  }),
  streaming: truthOrAuto({
    about: "Keep the tokens on disk instead of in memory; the text is then not examined for leaks and repeats",
    default: "auto",
    reason: "for files of more than 64 MB in all",
  }),
  maxDocuments: integer(
    {
      about: "Take a seeded sample of this many; 0 takes all",
      unit: "documents",
      default: 0,
      reason: "use all the text",
    },
    0,
  ),
  deduplicate: truth({
    about: "Leave out documents that repeat an earlier one, wholly or nearly",
    default: false,
    reason: "what is left out is the user's choice; the gate says when there are repeats",
  }),
  dataGate: choice(
    {
      about: "On a finding that would make the numbers of the run lie: `refuse` the run, or `warn` and go on",
      default: "refuse",
      reason: "a loss on text that is also learned says nothing",
    },
    ["refuse", "warn"],
  ),
  validationFraction: number(
    {
      about: "Share of the documents that measures the run while it learns",
      default: 0.1,
      reason: "enough to trust the loss, little enough to miss",
    },
    "above 0 and below 1",
    (value) => value > 0 && value < 1,
  ),
  testFraction: number(
    {
      about: "Share of the documents kept for the one judgement at the end",
      default: 0.1,
      reason: "a loss that chose the model flatters it",
    },
    "from 0 to below 1",
    (value) => value >= 0 && value < 1,
  ),
};

const lengthOfTheRun = {
  numEpochs: integer(
    { about: "Passes over the training text", unit: "epochs", default: 3, reason: "small texts overfit after a few" },
    1,
  ),
  maxSteps: integer(
    { about: "Stop after this many; 0 runs all epochs", unit: "optimiser steps", default: 0, reason: "epochs decide" },
    0,
  ),
  maxMinutes: number(
    {
      about: "Stop in order when this much time was spent training, over all resumes; 0 takes the time it needs",
      unit: "minutes",
      default: 0,
      reason: "epochs decide; with a limit prefer schedule wsd or constant, which do not count on the last step",
    },
    "≥ 0",
    (value) => value >= 0,
  ),
};

const batchesAndMemory = {
  batchSize: integer(
    { about: "Blocks a micro-batch", unit: "blocks", default: 4, reason: "the knob for memory: halve it first" },
    1,
  ),
  gradientAccumulation: integer(
    { about: "Micro-batches an optimiser step", default: 2, reason: "a larger effective batch in the same memory" },
    1,
  ),
  blockSize: integer(
    {
      about: "Tokens a block, at most the model's positions",
      unit: "tokens",
      default: 512,
      reason: "long enough for context; memory of attention grows with its square",
    },
    2,
  ),
  separateDocuments: truth({
    about: "Keep attention inside each document of a block, and count positions from its start",
    default: false,
    reason: "GPT-2 was trained without",
  }),
  gradientCheckpointing: truth({
    about: "Keep only the input of each block for the gradient, and compute the rest again",
    default: false,
    reason: "it costs a second forward pass; for models that do not fit otherwise",
  }),
};

const optimiser = {
  learningRate: number(
    { about: "Highest learning rate", default: 2e-5, reason: "safe for fine-tuning; small models take 1e-3" },
    "above 0 and at most 1",
    (value) => value > 0 && value <= 1,
  ),
  schedule: choice(
    { about: "How the rate goes after the warm-up", default: "linear", reason: "what Hugging Face does" },
    scheduleNames,
  ),
  warmupSteps: integer(
    {
      about: "Steps in which the rate rises from 0",
      unit: "optimiser steps",
      default: 0,
      reason: "a pretrained model needs none",
    },
    0,
  ),
  decayFraction: number(
    {
      about: "Share of the run in which the rate of schedule wsd falls to 0, at its end",
      default: 0.2,
      reason: "more gains little (Hägele et al. 2024)",
    },
    "above 0 and at most 1",
    (value) => value > 0 && value <= 1,
  ),
  weightDecay: number(
    { about: "AdamW's decoupled decay of matrices and embeddings", default: 0.01, reason: "AdamW's own default" },
    "from 0 to 1",
    (value) => value >= 0 && value <= 1,
  ),
  dropout: number(
    {
      about: "Share of embeddings, attention and what blocks add that training sets to 0, drawn anew each step",
      default: 0,
      reason: "early stopping guards a fine-tune; GPT-2 was trained with 0.1",
    },
    "from 0 to below 1",
    (value) => value >= 0 && value < 1,
  ),
  clipNorm: number(
    {
      about: "Gradients are scaled down to this global norm",
      default: 1,
      reason: "GPT-2's own; it tames single bad batches",
    },
    "above 0",
    (value) => value > 0,
  ),
};

const evaluationAndStopping = {
  evaluationsPerEpoch: number(
    {
      about: "Evaluations, each with a checkpoint, an epoch; 0.5 is one in two epochs, 0 only before and after the run",
      default: 2,
      reason: "so that patience 2 can stop a run of 3 epochs",
    },
    "≥ 0",
    (value) => value >= 0,
  ),
  evaluateEverySteps: integer(
    {
      about: "Steps between two evaluations, in place of evaluationsPerEpoch; 0 leaves it to that",
      unit: "optimiser steps",
      default: 0,
      reason: "epochs decide",
    },
    0,
  ),
  earlyStoppingPatience: integer(
    {
      about: "Evaluations in a row without improvement that end the run; 0 never ends it early",
      unit: "evaluations",
      default: 2,
      reason: "one bad evaluation may be chance, two are a trend",
    },
    0,
  ),
  minDelta: number(
    {
      about: "An evaluation must be better than the best by more than this to count as improvement",
      unit: "nats per token",
      default: 0,
      reason: "any improvement counts",
    },
    "≥ 0",
    (value) => value >= 0,
  ),
  keepBest: truth({
    about: "End with the weights of the best evaluation; false ends with the last ones",
    default: true,
    reason: "the last weights may have overfitted",
  }),
  logEverySteps: integer(
    { about: "Steps between two `log` events", unit: "optimiser steps", default: 50, reason: "readable, and averaged" },
    1,
  ),
  samplePrompts: texts({
    about: "Beginnings that the model continues at every evaluation, always with the same seed",
    default: [],
    reason: "each sample costs time",
  }),
  sampleTokens: integer(
    { about: "Length of such a continuation", unit: "tokens", default: 40, reason: "one or two sentences" },
    1,
  ),
};

const partsOfTheModel = {
  freezeLayers: integer(
    {
      about: "Leave the embeddings and this many blocks from the bottom as they are; 0 trains all",
      unit: "blocks",
      default: 0,
      reason: "all weights learn; freezing saves memory and forgets less",
    },
    0,
  ),
  loraRank: integer(
    {
      about: "Train low-rank adapters of this rank instead of the weights (LoRA); 0 trains the weights",
      default: 0,
      reason: "small models fit whole; 8 is usual for large ones",
    },
    0,
  ),
  loraAlpha: number(
    { about: "Adapters count alpha / rank times", default: 16, reason: "twice the usual rank" },
    "above 0",
    (value) => value > 0,
  ),
  loraTargets: texts(
    { about: "Which matrices of each block get adapters", default: ["c_attn"], reason: "as Hu et al. 2021" },
    ["c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"],
  ),
};

const outputAndMachine = {
  outputDir: text({
    about: "Folder of checkpoints and run log",
    default: "./gpt2_finetuned",
    reason: "the guide's name",
  }),
  finalModelDir: text({ about: "Folder of the finished model", default: "./final_model", reason: "the guide's name" }),
  tensorboard: truth({
    about: "Also write TensorBoard event files, to `tensorboard/` in outputDir",
    default: false,
    reason: "the run log holds everything already",
  }),
  seed: integer(
    { about: "Seed of the split, the order of the batches, random weights and samples", default: 42, reason: "any" },
    0,
  ),
  mixedPrecision: truthOrAuto({
    about: "bfloat16 products",
    default: "auto",
    reason: "where the processor or GPU gains from it",
  }),
  engine: choice({ about: "Force an engine", default: "auto", reason: "the best that this machine has" }, [
    ...engineNames,
    "auto",
  ]),
  memoryLimitGB: number(
    {
      about: "Refuse a run that would need more than this; 0 takes what the machine has free",
      unit: "GB",
      default: 0,
      reason: "the machine's own limits are read, a container's included",
    },
    "≥ 0",
    (value) => value >= 0,
  ),
  preflight: truth({
    about: "Measure two steps, which change nothing, before a fresh run and show them beside what was predicted",
    default: true,
    reason: "who waits for hours should know it after seconds",
  }),
  overfitOneBatch: truth({
    about: "Train on one batch only, until the model knows it by heart: a check of the set-up, not a model to use",
    default: false,
    reason: "a run that cannot do this is broken",
  }),
};

const checkpointsAndResuming = {
  checkpointEverySteps: integer(
    {
      about: "Steps between two checkpoints beside those of the evaluations; 0 saves at evaluations only",
      unit: "optimiser steps",
      default: 0,
      reason: "a killed run loses half an epoch at most",
    },
    0,
  ),
  keepCheckpoints: integer(
    {
      about: "Checkpoints kept at most; the best and the last stay in any case",
      unit: "checkpoints",
      default: 2,
      reason: "where the newest is damaged, one before it is left to go on from",
    },
    1,
  ),
  maxCheckpointGB: number(
    {
      about: "Disk that the checkpoints may take; the best and the last stay in any case; 0 sets no limit",
      unit: "GB",
      default: 0,
      reason: "keepCheckpoints limits them",
    },
    "≥ 0",
    (value) => value >= 0,
  ),
  resume: truthOrAuto({
    about: "Go on from the newest checkpoint in outputDir; `auto` starts afresh where there is none",
    default: false,
    reason: "start afresh unless asked",
  }),
  resumeAnyway: texts({
    about: "Names that may differ from the run that is resumed: knobs, `model`, `data`, `tokenizer`, `split`",
    default: [],
    reason: "what has changed is named and refused",
  }),
};

/** The knobs in groups, in the order of help and documentation. */
export const knobGroups = {
  "Model and data": modelAndData,
  "Length of the run": lengthOfTheRun,
  "Batches and memory": batchesAndMemory,
  Optimiser: optimiser,
  "Evaluation and stopping": evaluationAndStopping,
  "Parts of the model": partsOfTheModel,
  "Output and machine": outputAndMachine,
  "Checkpoints and resuming": checkpointsAndResuming,
} satisfies Readonly<Record<string, Readonly<Record<string, Knob>>>>;

/** Every knob by name. */
export const knobs = {
  ...modelAndData,
  ...lengthOfTheRun,
  ...batchesAndMemory,
  ...optimiser,
  ...evaluationAndStopping,
  ...partsOfTheModel,
  ...outputAndMachine,
  ...checkpointsAndResuming,
};
