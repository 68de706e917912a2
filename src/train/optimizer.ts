/**
 * The step functions of training, written once for every engine: add a micro-batch's gradients to accumulators; take the
 * last micro-batch, clip by the global norm and apply AdamW, in one program. In: a model configuration and what is trained.
 * Out: step functions and the variables they need. A gradient that is not finite never reaches the weights.
 * Sources: Kingma & Ba 2015 (Adam), Loshchilov & Hutter 2019 (decoupled decay), Pascanu et al. 2013 (clipping).
 */
import * as tf from "@tensorflow/tfjs";
import type { Engine, TensorSpec, Tiling, VariableInit, Variables } from "../engine/engine.js";
import { multiplyNoNan, sumOfSquares } from "../engine/operations.js";
import { hiddenStates, type WeightReader } from "../model/gpt2.js";
import { type Gpt2Config, headName, weightShapes } from "../model/gpt2-config.js";
import { crossEntropySum } from "../model/loss.js";

/** Constants of AdamW; the defaults are PyTorch's and Hugging Face's. */
export interface AdamConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}
export const adamDefaults: AdamConstants = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** Names of the variables that belong to a weight. */
export const firstMoment = (weight: string) => `adam.m/${weight}`;
export const secondMoment = (weight: string) => `adam.v/${weight}`;
const accumulator = (weight: string) => `gradient/${weight}`;

/** Weight decay pulls on matrices and embeddings only, not on biases and LayerNorm. */
export function isDecayed(weight: string): boolean {
  return !weight.endsWith(".bias") && !weight.includes(".ln_");
}

/** What a run trains: every weight, some of them, or small matrices beside them. */
export interface Trainable {
  /** Shapes of the trained variables by name; the weights that are not among them stay as they are. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Makes the model's weights of the variables, trained and frozen. Default: the variables that bear their names. */
  readonly weights?: (variable: WeightReader) => WeightReader;
}

/** Trains every weight of a model. */
export function everyWeight(config: Gpt2Config): Trainable {
  return { shapes: weightShapes(config) };
}

/** Variables of a run: weights and what is trained with their values, moments at zero unless given. */
export function trainingVariables(
  config: Gpt2Config,
  values: ReadonlyMap<string, Float32Array>,
  trainable: Trainable = everyWeight(config),
): Map<string, VariableInit> {
  const variables = new Map<string, VariableInit>();
  const add = (name: string, shape: readonly number[]) => {
    const initial = values.get(name);
    variables.set(name, initial ? { shape, values: initial } : { shape });
  };
  for (const [weight, shape] of weightShapes(config)) add(weight, shape);
  for (const [weight, shape] of trainable.shapes) {
    for (const name of [weight, firstMoment(weight), secondMoment(weight)]) add(name, shape);
  }
  return variables;
}

/** A micro-batch on its way to the engine: B*T inputs and targets, −1 where a position carries no loss. */
export interface MicroBatch {
  readonly inputs: Int32Array;
  readonly targets: Int32Array;
  /** Place of each input in its document [B*T]; wanted exactly when the shape has `separateDocuments`. */
  readonly positions?: Int32Array;
  /** Key of its random numbers [2]; wanted exactly in training with dropout. */
  readonly randomKey?: Int32Array;
}

/** Shape of the micro-batches that a step is compiled for. */
export interface BatchShape {
  /** Rows. */
  readonly B: number;
  /** Tokens a row. */
  readonly T: number;
  /** Whether attention stays inside each document; default false. */
  readonly separateDocuments?: boolean;
  /** Less memory for more time: each block is computed again for its gradient; default false. */
  readonly gradientCheckpointing?: boolean;
  /** Share of values that training drops, below 1; evaluation drops none. Default 0. */
  readonly dropoutRate?: number;
}

/** What one AdamW update is told. */
export interface Update {
  /** Optimiser step being made, from 1. */
  readonly step: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Gradients of the mean loss are scaled down to this global norm. */
  readonly clipNorm: number;
  /** Targets of all micro-batches of the step, by which the summed loss is divided. */
  readonly tokens: number;
}

/** What an optimiser step found; nothing was changed unless both are finite. */
export interface StepResult {
  /** Summed loss of all micro-batches of the step, in nats. */
  readonly nats: number;
  /** Global L2 norm of the gradient of the mean loss, before clipping. */
  readonly gradientNorm: number;
}

/** Compiled training steps of one shape. An optimiser step is any number of `accumulate` calls and one `step`. */
export interface TrainingSteps {
  /** Adds the gradients of a micro-batch that is not the last of its step; returns its summed loss in nats. */
  accumulate(batch: MicroBatch): Promise<number>;
  /** Takes the last micro-batch of a step, clips the gradient and updates weights and moments, if all is finite. */
  step(batch: MicroBatch, update: Update): Promise<StepResult>;
}

/** What may be said about the training of a model. */
export interface TrainingOptions {
  /** Default: every weight. */
  readonly trainable?: Trainable;
  readonly constants?: AdamConstants;
}

/** Compiles what a training run calls at every step, each program when it is first needed. */
export function compileTraining(
  engine: Engine,
  config: Gpt2Config,
  shape: BatchShape,
  { trainable = everyWeight(config), constants = adamDefaults }: TrainingOptions = {},
): TrainingSteps {
  const names = [...trainable.shapes.keys()];
  const { specs, gradients } = differentiation(config, { ...shape, tiling: engine.tiling }, trainable);
  const accumulating = (first: boolean) => () =>
    engine.compile(first ? "accumulate-first" : "accumulate", specs, (batch, variables) => {
      const { loss, byName } = gradients(batch, variables);
      for (const [name, gradient] of byName) {
        if (first) variables.assign(accumulator(name), gradient);
        else variables.assignAdd(accumulator(name), gradient);
      }
      return { loss };
    });
  const stepping = (accumulated: boolean) => () =>
    engine.compile("step", { ...specs, ...updateSpecs }, (inputs, variables) => {
      const { loss, byName } = gradients(inputs, variables);
      if (accumulated) {
        for (const [name, gradient] of byName) {
          byName.set(name, tf.add(gradient, variables.read(accumulator(name))));
        }
      }
      return applyGradients(loss, byName, inputs, variables);
    });
  const accumulateFirst = once(async () => {
    const inits = names.map((name) => [accumulator(name), { shape: trainable.shapes.get(name) ?? [] }] as const);
    await engine.createVariables(new Map(inits));
    return accumulating(true)();
  });
  const accumulateNext = once(accumulating(false));
  const stepAlone = once(stepping(false));
  const stepLast = once(stepping(true));
  let window = { batches: 0, nats: 0 };
  return {
    async accumulate(batch) {
      const program = await (window.batches === 0 ? accumulateFirst() : accumulateNext());
      const nats = scalarOf((await program.run(batchInputs(batch))).loss);
      window = { batches: window.batches + 1, nats: window.nats + nats };
      return nats;
    },
    async step(batch, update) {
      const { batches, nats } = window;
      window = { batches: 0, nats: 0 };
      const program = await (batches === 0 ? stepAlone() : stepLast());
      const { loss, norm } = await program.run({ ...batchInputs(batch), ...updateInputs(update, nats, constants) });
      return { nats: scalarOf(loss), gradientNorm: scalarOf(norm) };
    },
  };
}

type TiledShape = BatchShape & { readonly tiling: Tiling | undefined };

// The summed loss of a micro-batch and its gradients by the trained variables.
function differentiation(config: Gpt2Config, shape: TiledShape, { shapes, weights }: Trainable) {
  const names = [...shapes.keys()];
  const gradients = (batch: Readonly<Record<string, tf.Tensor>>, variables: Variables) => {
    const lossOf = (...values: tf.Tensor[]) => {
      const trained = new Map(names.map((name, i) => [name, values[i] as tf.Tensor]));
      const variable: WeightReader = (name) => trained.get(name) ?? variables.read(name);
      return summedLoss(weights?.(variable) ?? variable, batch, shape, config) as tf.Scalar;
    };
    const { value, grads } = tf.valueAndGrads(lossOf)(names.map((name) => variables.read(name)));
    return { loss: value, byName: new Map(names.map((name, i) => [name, grads[i] as tf.Tensor])) };
  };
  return { specs: batchSpecs(shape), gradients };
}

/** Compiles the evaluation of one micro-batch: the summed loss in nats. */
export async function compileEvaluation(
  engine: Engine,
  config: Gpt2Config,
  trainingShape: BatchShape,
  { weights }: Pick<Trainable, "weights"> = {},
): Promise<(batch: MicroBatch) => Promise<number>> {
  const shape = { ...trainingShape, dropoutRate: 0, tiling: engine.tiling };
  const step = await engine.compile("evaluate", batchSpecs(shape), (batch, variables) => {
    const variable: WeightReader = (name) => variables.read(name);
    return { loss: summedLoss(weights?.(variable) ?? variable, batch, shape, config) };
  });
  return async ({ randomKey: _, ...batch }) => scalarOf((await step.run(batchInputs(batch))).loss);
}

function summedLoss(
  weight: WeightReader,
  { inputs, targets, positions, randomKey }: Readonly<Record<string, tf.Tensor>>,
  { dropoutRate: rate = 0, ...shape }: TiledShape,
  config: Gpt2Config,
): tf.Tensor {
  const dropout = rate > 0 ? { rate, key: randomKey as tf.Tensor } : undefined;
  const hidden = hiddenStates(inputs as tf.Tensor, { ...shape, dropout }, weight, config, positions);
  return crossEntropySum(hidden, weight(headName(config)), targets as tf.Tensor, shape.tiling);
}

function batchSpecs({ B, T, separateDocuments, dropoutRate = 0 }: BatchShape): Record<string, TensorSpec> {
  const ids: TensorSpec = { shape: [B * T], dtype: "int32" };
  const key: TensorSpec = { shape: [2], dtype: "int32" };
  return {
    ...{ inputs: ids, targets: ids },
    ...(separateDocuments && { positions: ids }),
    ...(dropoutRate > 0 && { randomKey: key }),
  };
}

function batchInputs({ inputs, targets, positions, randomKey }: MicroBatch): Record<string, Int32Array> {
  return { inputs, targets, ...(positions && { positions }), ...(randomKey && { randomKey }) };
}

const scalar: TensorSpec = { shape: [], dtype: "float32" };
const updateSpecs = {
  /** Summed loss and targets of the whole window. */
  natsBefore: scalar,
  tokens: scalar,
  clipNorm: scalar,
  decay: scalar,
  learningRate: scalar,
  beta1: scalar,
  beta2: scalar,
  beta1Power: scalar,
  beta2Power: scalar,
  epsilon: scalar,
};

function updateInputs(update: Update, natsBefore: number, { beta1, beta2, epsilon }: AdamConstants) {
  const { step, learningRate, weightDecay, clipNorm, tokens } = update;
  const beta2Power = beta2 ** step;
  const values: Record<keyof typeof updateSpecs, number> = {
    natsBefore,
    tokens,
    clipNorm,
    decay: -learningRate * weightDecay,
    learningRate,
    beta1,
    beta2,
    beta1Power: beta1 ** step,
    beta2Power,
    // PyTorch adds ε after dividing by √(1 − β₂ᵗ), TensorFlow before.
    epsilon: epsilon * Math.sqrt(1 - beta2Power),
  };
  return mapValues(values, (value) => Float32Array.of(value));
}

// Clipping and AdamW. When loss or norm is not finite, every gradient counts as zero and every constant as "change
// nothing", so that weights and moments keep their bits.
function applyGradients(
  loss: tf.Tensor,
  gradients: ReadonlyMap<string, tf.Tensor>,
  inputs: Readonly<Record<keyof typeof updateSpecs, tf.Tensor>>,
  variables: Variables,
): { loss: tf.Tensor; norm: tf.Tensor } {
  const { natsBefore, tokens, clipNorm, decay, learningRate, beta1, beta2, ...rest } = inputs;
  const { beta1Power, beta2Power, epsilon } = rest;
  const nats = tf.add(natsBefore, loss);
  const squares = [...gradients.values()].map((gradient) => sumOfSquares(gradient));
  const norm = tf.div(tf.sqrt(tf.addN(squares)), tokens);
  const finite = tf.logicalAnd(isFiniteScalar(nats), isFiniteScalar(norm));
  const ifFinite = (value: tf.Tensor, otherwise: number) => tf.where(finite, value, tf.scalar(otherwise));
  const clipping = tf.minimum(1, tf.div(clipNorm, tf.add(norm, 1e-6)));
  const scale = ifFinite(tf.div(clipping, tokens), 0);
  const adam = {
    learningRate: ifFinite(learningRate, 0),
    beta1: ifFinite(beta1, 1),
    beta2: ifFinite(beta2, 1),
    ...{ beta1Power, beta2Power, epsilon },
  };
  const shrink = ifFinite(decay, 0);
  // The largest last: the decay of its weight is an array as large, for which the other gradients have made room by then.
  for (const [name, gradient] of [...gradients].sort(([, a], [, b]) => a.size - b.size)) {
    if (isDecayed(name)) variables.assignAdd(name, tf.mul(variables.read(name), shrink));
    variables.adam({
      variable: name,
      firstMoment: firstMoment(name),
      secondMoment: secondMoment(name),
      gradient: multiplyNoNan(gradient, scale),
      ...adam,
    });
  }
  return { loss: nats, norm };
}

// NaN and ±∞ are not ≤ the largest float32.
function isFiniteScalar(x: tf.Tensor): tf.Tensor {
  return tf.lessEqual(tf.abs(x), 3.4028234e38);
}

function once<Result>(make: () => Promise<Result>): () => Promise<Result> {
  let made: Promise<Result> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function mapValues<Key extends string, From, To>(record: Readonly<Record<Key, From>>, change: (value: From) => To) {
  const entries = Object.entries(record) as [Key, From][];
  return Object.fromEntries(entries.map(([key, value]) => [key, change(value)])) as Record<Key, To>;
}

function scalarOf(values: Float32Array): number {
  return values[0] as number;
}
