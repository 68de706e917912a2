/**
 * The three step functions of training, written once for every engine: add a micro-batch's gradients to accumulators,
 * measure their global norm, apply AdamW. In: a model configuration. Out: step functions and the variables they need.
 * The host decides between norm and update, so that a gradient that is not finite never reaches the weights.
 * Sources: Kingma & Ba 2015 (Adam), Loshchilov & Hutter 2019 (decoupled decay), Pascanu et al. 2013 (clipping).
 */
import * as tf from "@tensorflow/tfjs";
import type { Engine, TensorSpec, VariableInit, Variables } from "../engine/engine.js";
import { hiddenStates } from "../model/gpt2.js";
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

/** Variables of a run: weights with their values, moments and accumulators at zero unless given. */
export function trainingVariables(
  config: Gpt2Config,
  values: ReadonlyMap<string, Float32Array>,
): Map<string, VariableInit> {
  const variables = new Map<string, VariableInit>();
  const add = (name: string, shape: readonly number[]) => {
    const initial = values.get(name);
    variables.set(name, initial ? { shape, values: initial } : { shape });
  };
  for (const [weight, shape] of weightShapes(config)) {
    for (const name of [weight, firstMoment(weight), secondMoment(weight), accumulator(weight)]) add(name, shape);
  }
  return variables;
}

/** A micro-batch on its way to the engine: B*T inputs and targets, −1 where a position carries no loss. */
export interface MicroBatch {
  readonly inputs: Int32Array;
  readonly targets: Int32Array;
  /** Place of each input in its document [B*T]; wanted exactly when the shape has `separateDocuments`. */
  readonly positions?: Int32Array;
}

/** Shape of the micro-batches that a step is compiled for. */
export interface BatchShape {
  /** Rows. */
  readonly B: number;
  /** Tokens a row. */
  readonly T: number;
  /** Whether attention stays inside each document; default false. */
  readonly separateDocuments?: boolean;
}

/** What one AdamW update is told. */
export interface Update {
  /** Optimiser step being made, from 1. */
  readonly step: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Factor of the accumulated gradient: 1 / tokens, times the clipping factor. */
  readonly gradientScale: number;
}

/** Compiled training steps of one shape. */
export interface TrainingSteps {
  /** Adds the gradients of a micro-batch to the accumulators; returns the summed loss in nats. */
  accumulate(batch: MicroBatch): Promise<number>;
  /** Global L2 norm of the accumulated gradients, of the summed loss. */
  gradientNorm(): Promise<number>;
  /** Updates weights and moments from the accumulators and clears these. */
  update(update: Update): Promise<void>;
  /** Clears the accumulators and leaves the weights as they are. */
  discard(): Promise<void>;
}

/** Compiles what a training run calls at every step. */
export async function compileTraining(
  engine: Engine,
  config: Gpt2Config,
  shape: BatchShape,
  constants: AdamConstants = adamDefaults,
): Promise<TrainingSteps> {
  const names = [...weightShapes(config).keys()];
  const accumulate = await engine.compile("accumulate", batchSpecs(shape), (batch, variables) => {
    const weights = names.map((name) => variables.read(name));
    const lossOf = (...values: tf.Tensor[]) => {
      const byName = new Map(names.map((name, i) => [name, values[i] as tf.Tensor]));
      return summedLoss(byName, batch, shape, config) as tf.Scalar;
    };
    const { value, grads } = tf.valueAndGrads(lossOf)(weights);
    names.forEach((name, i) => {
      variables.assignAdd(accumulator(name), grads[i] as tf.Tensor);
    });
    return { loss: value };
  });
  const norm = await engine.compile("gradient-norm", {}, (_inputs, variables) => {
    const squares = names.map((name) => tf.sum(tf.square(variables.read(accumulator(name)))));
    return { norm: tf.sqrt(tf.addN(squares)) };
  });
  const update = await engine.compile("update", updateSpecs, (scalars, variables) => {
    for (const name of names) applyAdamW(name, scalars, variables);
    return {};
  });
  const discard = await engine.compile("discard", {}, (_inputs, variables) => {
    for (const name of names) clear(name, variables);
    return {};
  });
  return {
    accumulate: async (batch) => scalarOf((await accumulate.run(batchInputs(batch))).loss),
    gradientNorm: async () => scalarOf((await norm.run({})).norm),
    update: async (values) => void (await update.run(updateInputs(values, constants))),
    discard: async () => void (await discard.run({})),
  };
}

/** Compiles the evaluation of one micro-batch: the summed loss in nats. */
export async function compileEvaluation(
  engine: Engine,
  config: Gpt2Config,
  shape: BatchShape,
): Promise<(batch: MicroBatch) => Promise<number>> {
  const names = [...weightShapes(config).keys()];
  const step = await engine.compile("evaluate", batchSpecs(shape), (batch, variables) => {
    const byName = new Map(names.map((name) => [name, variables.read(name)]));
    return { loss: summedLoss(byName, batch, shape, config) };
  });
  return async (batch) => scalarOf((await step.run(batchInputs(batch))).loss);
}

function summedLoss(
  weights: ReadonlyMap<string, tf.Tensor>,
  { inputs, targets, positions }: Readonly<Record<string, tf.Tensor>>,
  shape: BatchShape,
  config: Gpt2Config,
): tf.Tensor {
  const weight = (name: string) => weights.get(name) as tf.Tensor;
  const hidden = hiddenStates(inputs as tf.Tensor, shape, weight, config, positions);
  return crossEntropySum(hidden, weight(headName(config)), targets as tf.Tensor);
}

function batchSpecs({ B, T, separateDocuments }: BatchShape): Record<string, TensorSpec> {
  const ids: TensorSpec = { shape: [B * T], dtype: "int32" };
  return { inputs: ids, targets: ids, ...(separateDocuments && { positions: ids }) };
}

function batchInputs({ inputs, targets, positions }: MicroBatch): Record<string, Int32Array> {
  return { inputs, targets, ...(positions && { positions }) };
}

const scalar: TensorSpec = { shape: [], dtype: "float32" };
const updateSpecs = {
  gradientScale: scalar,
  decay: scalar,
  learningRate: scalar,
  beta1: scalar,
  beta2: scalar,
  beta1Power: scalar,
  beta2Power: scalar,
  epsilon: scalar,
};

type Scalar = keyof typeof updateSpecs;

function updateInputs({ step, learningRate, weightDecay, gradientScale }: Update, constants: AdamConstants) {
  const { beta1, beta2, epsilon } = constants;
  const beta2Power = beta2 ** step;
  const values = {
    gradientScale,
    decay: -learningRate * weightDecay,
    learningRate,
    beta1,
    beta2,
    beta1Power: beta1 ** step,
    beta2Power,
    // PyTorch adds ε after dividing by √(1 − β₂ᵗ), TensorFlow before.
    epsilon: epsilon * Math.sqrt(1 - beta2Power),
  };
  const entries = Object.entries(values).map(([name, value]) => [name, Float32Array.of(value)]);
  return Object.fromEntries(entries) as Record<Scalar, Float32Array>;
}

function applyAdamW(name: string, scalars: Readonly<Record<Scalar, tf.Tensor>>, variables: Variables): void {
  const { gradientScale, decay, ...adam } = scalars;
  const gradient = tf.mul(variables.read(accumulator(name)), gradientScale);
  if (isDecayed(name)) variables.assignAdd(name, tf.mul(variables.read(name), decay));
  variables.adam({
    variable: name,
    firstMoment: firstMoment(name),
    secondMoment: secondMoment(name),
    gradient,
    ...adam,
  });
  clear(name, variables);
}

function clear(name: string, variables: Variables): void {
  const sum = variables.read(accumulator(name));
  variables.assign(accumulator(name), tf.zeros(sum.shape));
}

function scalarOf(values: Float32Array): number {
  return values[0] as number;
}
