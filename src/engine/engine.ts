/**
 * What a training engine is: it keeps named variables, compiles step functions written with TensorFlow.js operations, and
 * runs them. Types only; the engines are tensorflow.ts (compiled) and eager.ts (plain TensorFlow.js), choose.ts picks one.
 */
import type * as tf from "@tensorflow/tfjs";
import type { Program } from "./program.js";

/** Element types that cross the border between the host and an engine. */
export type DType = "float32" | "int32" | "bool";

/** Static shape and element type of a tensor. */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Tensor contents on the host, row-major. */
export type HostArray = Float32Array | Int32Array;

/** A variable to create: `values` has the product of `shape` elements; left out, the variable starts at zero. */
export interface VariableInit {
  readonly shape: readonly number[];
  readonly values?: Float32Array;
}

/** One Adam update in place (Kingma & Ba 2015, Algorithm 1); scalars are tensors of shape []. */
export interface AdamUpdate {
  readonly variable: string;
  readonly firstMoment: string;
  readonly secondMoment: string;
  readonly gradient: tf.Tensor;
  readonly learningRate: tf.Tensor;
  readonly beta1: tf.Tensor;
  readonly beta2: tf.Tensor;
  /** β₁ᵗ and β₂ᵗ of the step being made, t from 1. */
  readonly beta1Power: tf.Tensor;
  readonly beta2Power: tf.Tensor;
  /** Added to √v before the bias correction of v is divided out: TensorFlow's ε̂ = ε √(1 − β₂ᵗ). */
  readonly epsilon: tf.Tensor;
}

/** The state that a step function reads and updates. Updates take effect in the order in which they are written. */
export interface Variables {
  /** The value before the step, or as the updates written before left it. */
  read(name: string): tf.Tensor;
  /** Replaces the value. */
  assign(name: string, value: tf.Tensor): void;
  /** Adds to the value in place. */
  assignAdd(name: string, value: tf.Tensor): void;
  /**
   * Overwrites one index of axis 1 in place: how a cache takes in a token.
   *
   * @param name a variable [N, P, …] that this step has not read yet
   * @param index [] int32, 0 … P-1
   * @param value [N, 1, …]
   * @returns the variable afterwards
   */
  assignSlice(name: string, index: tf.Tensor, value: tf.Tensor): tf.Tensor;
  /** One Adam update in place. */
  adam(update: AdamUpdate): void;
}

/** A step written with TensorFlow.js operations: static shapes, no reading of values. */
export type StepFunction<Input extends string = string, Output extends string = string> = (
  inputs: Readonly<Record<Input, tf.Tensor>>,
  variables: Variables,
) => Readonly<Record<Output, tf.Tensor>>;

/** A step that can be run again and again with other inputs. */
export interface CompiledStep<Input extends string = string, Output extends string = string> {
  /** The traced program, where the engine makes one; print it with `describeProgram`. */
  readonly program?: Program;
  /** Device memory of a run at its peak as the compiler counts it, variables included, in bytes; where the engine tells. */
  readonly peakBytes?: number;
  /**
   * Runs the step without blocking the event loop on the compiled engine.
   *
   * @param inputs one array per input of the step, as long as its shape says
   * @returns the outputs by name
   * @throws TypeError when an input is missing or has the wrong length
   */
  run(inputs: Readonly<Record<Input, HostArray>>): Promise<Record<Output, Float32Array>>;
}

/** Precision of the matrix multiplications; everything else is float32. */
export type Precision = "float32" | "bfloat16";

/** What TensorFlow runs of a program: its own kernels one by one, or StableHLO text compiled by XLA. */
export const formNames = ["graph", "xla"] as const;
export type Form = (typeof formNames)[number];

/**
 * What TensorFlow does at the same time on a processor: independent operations, each on all threads; one operation after the other
 * on all threads; or nothing, on one thread.
 */
export type Parallelism = "between" | "within" | "none";

/** Names of the engines, best first; `tfjs-node` only when it is asked for. */
export const engineNames = ["pjrt", "tensorflow", "tfjs-node", "wasm", "cpu"] as const;
/** Name of an engine. */
export type EngineName = (typeof engineNames)[number];

/** Memory of a device that has its own, in bytes. */
export interface DeviceMemory {
  readonly inUse: number;
  /** Most that was in use at once since the engine was opened. */
  readonly peak: number;
  /** Most that the engine may take. */
  readonly limit: number;
}

/** Sizes of the pieces in which a step is computed, which change its speed and memory, and its numbers by rounding only. */
export interface Tiling {
  /** Queries of a block of attention; blocks of 128 with dropout, whose masks depend on them. */
  readonly attentionRows: number;
  /** Most bytes of logits at once, counted in float32. */
  readonly logitsBytes: number;
  /** The head's products are made for a vocabulary padded to a multiple of this; 1 pads nothing. */
  readonly vocabularyMultiple: number;
}

/** For a processor: of 512 positions, four blocks compute 5/8 of all scores; smaller ones slow the products down. */
export const hostTiling: Tiling = { attentionRows: 128, logitsBytes: 105e6, vocabularyMultiple: 1 };

/** Keeps variables and runs steps. */
export interface Engine {
  readonly name: EngineName;
  /** `tensorflow (TensorFlow 2.21.0 on CPU, bfloat16)`: one line for people. */
  readonly description: string;
  /** Sizes that suit the device; default `hostTiling`. */
  readonly tiling?: Tiling;
  /** Makes variables, or sets those that exist. */
  createVariables(variables: ReadonlyMap<string, VariableInit>): Promise<void>;
  /** Frees variables; a compiled step that assigns one brings it back. */
  deleteVariables(names: Iterable<string>): Promise<void>;
  /** Copies variables to the host. */
  readVariables(names: Iterable<string>): Promise<Map<string, Float32Array>>;
  /**
   * Makes a step that can be run again and again.
   *
   * @param name for `describeProgram` and messages
   * @param inputs shape and dtype of every input, by name
   * @param step called once on the compiled engine (with symbolic tensors), at every run on the others
   * @param precision of its products; default: the engine's
   * @param variables "fixed": those that the step only reads keep their values from now on, so the engine may order them for its
   *   products in a copy of its own; default "changing"
   * @throws Error when the step cannot be traced
   */
  compile<Input extends string, Output extends string>(
    name: string,
    inputs: Readonly<Record<Input, TensorSpec>>,
    step: StepFunction<Input, Output>,
    precision?: Precision,
    variables?: "changing" | "fixed",
  ): Promise<CompiledStep<Input, Output>>;
  /** Memory of the device; undefined where the engine computes in the memory of the process. */
  deviceMemory?(): DeviceMemory | undefined;
  /** Frees everything the engine holds; safe to call twice. */
  dispose(): Promise<void>;
}
