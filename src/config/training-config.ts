/**
 * The type of a configuration: what editors and cells show of each knob. Made from src/config/knobs.ts by
 * test/config/make-training-config.ts: change the table there, not this file. No values and no checks.
 */

/** A training run. Every knob has a default; set the ones you want to change. */
export interface TrainingConfig {
  // Model and data.
  /**
   * `fledge-base`, a GPT-2 of the Hugging Face Hub such as `distilgpt2`, or a folder that holds one. Default
   * "fledge-base": it travels with Fledge and needs no network.
   */
  readonly modelName: string;
  /** Branch, tag, `refs/pr/<number>` or commit of a model of the Hub. Default "main": what its owner shows. */
  readonly modelRevision: string;
  /**
   * `pretrained` fine-tunes the model's weights, `random` trains its architecture from scratch. Default
   * "pretrained": a pretrained model needs a thousandth of the text.
   */
  readonly initialWeights: "pretrained" | "random";
  /**
   * An embedded text (`sotu`, `shakespeare`, `readmes`), a file or folder of texts or rows, or `owner/name` of the
   * Hub. Default "sotu": the embedded text needs no network.
   */
  readonly datasetName: string;
  /**
   * Branch, tag, `refs/pr/<number>` or commit of a dataset of the Hub; `auto` takes main, else the Hub's parquet
   * files. Default "auto": where the texts are.
   */
  readonly datasetRevision: string;
  /**
   * Column of the texts in JSONL, CSV and parquet; `auto` guesses it and says why. Default "auto": most name it
   * `text`.
   */
  readonly textColumn: string;
  /**
   * Keep the tokens on disk instead of in memory; the text is then not examined for leaks and repeats. Default
   * "auto": for files of more than 64 MB in all.
   */
  readonly streaming: boolean | "auto";
  /** Take a seeded sample of this many; 0 takes all. An integer ≥ 0, in documents. Default 0: use all the text. */
  readonly maxDocuments: number;
  /**
   * Leave out documents that repeat an earlier one, wholly or nearly. Default false: what is left out is the user's
   * choice; the gate says when there are repeats.
   */
  readonly deduplicate: boolean;
  /**
   * On a finding that would make the numbers of the run lie: `refuse` the run, or `warn` and go on. Default
   * "refuse": a loss on text that is also learned says nothing.
   */
  readonly dataGate: "refuse" | "warn";
  /**
   * Share of the documents that measures the run while it learns. A number above 0 and below 1. Default 0.1: enough
   * to trust the loss, little enough to miss.
   */
  readonly validationFraction: number;
  /**
   * Share of the documents kept for the one judgement at the end. A number from 0 to below 1. Default 0.1: a loss
   * that chose the model flatters it.
   */
  readonly testFraction: number;

  // Length of the run.
  /** Passes over the training text. An integer ≥ 1, in epochs. Default 3: small texts overfit after a few. */
  readonly numEpochs: number;
  /** Stop after this many; 0 runs all epochs. An integer ≥ 0, in optimiser steps. Default 0: epochs decide. */
  readonly maxSteps: number;
  /**
   * Stop in order when this much time was spent training, over all resumes; 0 takes the time it needs. A number ≥ 0,
   * in minutes. Default 0: epochs decide; with a limit prefer schedule wsd or constant, which do not count on the
   * last step.
   */
  readonly maxMinutes: number;

  // Batches and memory.
  /** Blocks a micro-batch. An integer ≥ 1, in blocks. Default 4: the knob for memory: halve it first. */
  readonly batchSize: number;
  /** Micro-batches an optimiser step. An integer ≥ 1. Default 2: a larger effective batch in the same memory. */
  readonly gradientAccumulation: number;
  /**
   * Tokens a block, at most the model's positions. An integer ≥ 2, in tokens. Default 512: long enough for context;
   * memory of attention grows with its square.
   */
  readonly blockSize: number;
  /**
   * Keep attention inside each document of a block, and count positions from its start. Default false: GPT-2 was
   * trained without.
   */
  readonly separateDocuments: boolean;
  /**
   * Keep only the input of each block for the gradient, and compute the rest again. Default false: it costs a second
   * forward pass; for models that do not fit otherwise.
   */
  readonly gradientCheckpointing: boolean;

  // Optimiser.
  /**
   * Highest learning rate. A number above 0 and at most 1. Default 0.00002: safe for fine-tuning; small models take
   * 1e-3.
   */
  readonly learningRate: number;
  /** How the rate goes after the warm-up. Default "linear": what Hugging Face does. */
  readonly schedule: "linear" | "cosine" | "constant" | "wsd";
  /**
   * Steps in which the rate rises from 0. An integer ≥ 0, in optimiser steps. Default 0: a pretrained model needs
   * none.
   */
  readonly warmupSteps: number;
  /**
   * Share of the run in which the rate of schedule wsd falls to 0, at its end. A number above 0 and at most 1.
   * Default 0.2: more gains little (Hägele et al. 2024).
   */
  readonly decayFraction: number;
  /** AdamW's decoupled decay of matrices and embeddings. A number from 0 to 1. Default 0.01: AdamW's own default. */
  readonly weightDecay: number;
  /**
   * Share of embeddings, attention and what blocks add that training sets to 0, drawn anew each step. A number from
   * 0 to below 1. Default 0: early stopping guards a fine-tune; GPT-2 was trained with 0.1.
   */
  readonly dropout: number;
  /**
   * Gradients are scaled down to this global norm. A number above 0. Default 1: GPT-2's own; it tames single bad
   * batches.
   */
  readonly clipNorm: number;

  // Evaluation and stopping.
  /**
   * Evaluations, each with a checkpoint, an epoch; 0.5 is one in two epochs, 0 only before and after the run. A
   * number ≥ 0. Default 2: so that patience 2 can stop a run of 3 epochs.
   */
  readonly evaluationsPerEpoch: number;
  /**
   * Steps between two evaluations, in place of evaluationsPerEpoch; 0 leaves it to that. An integer ≥ 0, in
   * optimiser steps. Default 0: epochs decide.
   */
  readonly evaluateEverySteps: number;
  /**
   * Evaluations in a row without improvement that end the run; 0 never ends it early. An integer ≥ 0, in
   * evaluations. Default 2: one bad evaluation may be chance, two are a trend.
   */
  readonly earlyStoppingPatience: number;
  /**
   * An evaluation must be better than the best by more than this to count as improvement. A number ≥ 0, in nats per
   * token. Default 0: any improvement counts.
   */
  readonly minDelta: number;
  /**
   * End with the weights of the best evaluation; false ends with the last ones. Default true: the last weights may
   * have overfitted.
   */
  readonly keepBest: boolean;
  /** Steps between two `log` events. An integer ≥ 1, in optimiser steps. Default 50: readable, and averaged. */
  readonly logEverySteps: number;
  /**
   * Beginnings that the model continues at every evaluation, always with the same seed. A list of texts. Default
   * `[]`: each sample costs time.
   */
  readonly samplePrompts: readonly string[];
  /** Length of such a continuation. An integer ≥ 1, in tokens. Default 40: one or two sentences. */
  readonly sampleTokens: number;

  // Parts of the model.
  /**
   * Leave the embeddings and this many blocks from the bottom as they are; 0 trains all. An integer ≥ 0, in blocks.
   * Default 0: all weights learn; freezing saves memory and forgets less.
   */
  readonly freezeLayers: number;
  /**
   * Train low-rank adapters of this rank instead of the weights (LoRA); 0 trains the weights. An integer ≥ 0.
   * Default 0: small models fit whole; 8 is usual for large ones.
   */
  readonly loraRank: number;
  /** Adapters count alpha / rank times. A number above 0. Default 16: twice the usual rank. */
  readonly loraAlpha: number;
  /**
   * Which matrices of each block get adapters. A list of "c_attn", "attn.c_proj", "c_fc", "mlp.c_proj". Default
   * `["c_attn"]`: as Hu et al. 2021.
   */
  readonly loraTargets: readonly string[];

  // Output and machine.
  /** Folder of checkpoints and run log. Default "./gpt2_finetuned": the guide's name. */
  readonly outputDir: string;
  /** Folder of the finished model. Default "./final_model": the guide's name. */
  readonly finalModelDir: string;
  /**
   * Also write TensorBoard event files, to `tensorboard/` in outputDir. Default false: the run log holds everything
   * already.
   */
  readonly tensorboard: boolean;
  /** Seed of the split, the order of the batches, random weights and samples. An integer ≥ 0. Default 42: any. */
  readonly seed: number;
  /** bfloat16 products. Default "auto": where the processor or GPU gains from it. */
  readonly mixedPrecision: boolean | "auto";
  /** Force an engine. Default "auto": the best that this machine has. */
  readonly engine: "pjrt" | "tensorflow" | "tfjs-node" | "wasm" | "cpu" | "auto";
  /**
   * Refuse a run that would need more than this; 0 takes what the machine has free. A number ≥ 0, in GB. Default 0:
   * the machine's own limits are read, a container's included.
   */
  readonly memoryLimitGB: number;
  /**
   * Measure two steps, which change nothing, before a fresh run and show them beside what was predicted. Default
   * true: who waits for hours should know it after seconds.
   */
  readonly preflight: boolean;
  /**
   * Train on one batch only, until the model knows it by heart: a check of the set-up, not a model to use. Default
   * false: a run that cannot do this is broken.
   */
  readonly overfitOneBatch: boolean;

  // Checkpoints and resuming.
  /**
   * Steps between two checkpoints beside those of the evaluations; 0 saves at evaluations only. An integer ≥ 0, in
   * optimiser steps. Default 0: a killed run loses half an epoch at most.
   */
  readonly checkpointEverySteps: number;
  /**
   * Checkpoints kept at most; the best and the last stay in any case. An integer ≥ 1, in checkpoints. Default 2:
   * where the newest is damaged, one before it is left to go on from.
   */
  readonly keepCheckpoints: number;
  /**
   * Disk that the checkpoints may take; the best and the last stay in any case; 0 sets no limit. A number ≥ 0, in
   * GB. Default 0: keepCheckpoints limits them.
   */
  readonly maxCheckpointGB: number;
  /**
   * Go on from the newest checkpoint in outputDir; `auto` starts afresh where there is none. Default false: start
   * afresh unless asked.
   */
  readonly resume: boolean | "auto";
  /**
   * Names that may differ from the run that is resumed: knobs, `model`, `data`, `tokenizer`, `split`. A list of
   * texts. Default `[]`: what has changed is named and refused.
   */
  readonly resumeAnyway: readonly string[];
}
