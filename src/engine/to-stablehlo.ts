/**
 * Program → StableHLO text, which XLA compiles: through TensorFlow's XlaCallModule (to-xla-call.ts) or a PJRT plugin (pjrt.ts). In: a
 * traced program. Out: a module of one function, and what its arguments and results are. It compiles nothing. Variables come in as
 * arguments; reads after an update see the update.
 */
import type { TensorSpec } from "./engine.js";
import type { Program } from "./program.js";
import { Emitter, type HloArgument } from "./stablehlo-emitter.js";
import { stableHloRules } from "./stablehlo-rules.js";
import { type HloValue, hloType } from "./stablehlo-writer.js";

/** A program as text. */
export interface StableHloModule {
  readonly text: string;
  readonly arguments: readonly HloArgument[];
  /** Outputs of the program by name, each the position of a result. */
  readonly outputs: ReadonlyMap<string, number>;
  /** Positions of the results that hold values of the program, by their ids: what updates outside the module take. */
  readonly values: ReadonlyMap<number, number>;
  /** Positions of the results that hold variables after the step, by name; with `state: "inside"`. */
  readonly variables: ReadonlyMap<string, number>;
  readonly results: readonly TensorSpec[];
}

/** How a program becomes text. */
export interface StableHloOptions {
  /**
   * Who updates the variables: "inside" = the module, which returns them, in the memory of its arguments; "outside" = the
   * engine, which is given the operands of every update.
   */
  readonly state: "inside" | "outside";
}

/**
 * Writes a program as a StableHLO module.
 *
 * @example
 * emitStableHlo(program, { state: "inside" }).text;
 * // module @step { func.func public @main(%a0: tensor<2xf32>) -> (tensor<f32>) { … } }
 */
export function emitStableHlo(program: Program, { state }: StableHloOptions): StableHloModule {
  const emitter = new Emitter();
  for (const operation of program.operations) {
    const results = stableHloRules[operation.name](emitter, operation as never);
    operation.outputs.forEach((value, i) => {
      emitter.values.set(value.id, { ...(results[i] as HloValue), shape: value.shape, dtype: value.dtype });
    });
  }
  const results: HloValue[] = [];
  const position = (value: HloValue) => results.push(value) - 1;
  const outputs = new Map([...program.outputs].map(([name, id]) => [name, position(emitter.value(id))]));
  const operands = state === "outside" ? updateOperands(program) : [];
  // What is an argument already need not come back as a result.
  const returned = operands.filter((id) => !emitter.argument(id));
  const values = new Map(returned.map((id) => [id, position(emitter.value(id))]));
  const updated = state === "inside" ? emitter.updated : [];
  const variables = new Map([...updated].map((name) => [name, position(emitter.variable(name))]));
  const parameters = emitter.arguments.map((argument, i) => {
    const aliased = argument.kind === "variable" ? variables.get(argument.name) : undefined;
    return `%a${i}: ${hloType(argument)}${aliased === undefined ? "" : ` {tf.aliasing_output = ${aliased} : i32}`}`;
  });
  const text = [
    `module @${program.name.replaceAll(/\W/g, "_")} {`,
    `  func.func public @main(${parameters.join(", ")}) -> (${results.map(hloType).join(", ")}) {`,
    ...emitter.writer.lines.map((line) => `    ${line}`),
    `    return${results.length > 0 ? ` ${results.map(({ name }) => name).join(", ")} : ${results.map(hloType).join(", ")}` : ""}`,
    "  }",
    "}",
  ].join("\n");
  const specs = results.map(({ shape, dtype }) => ({ shape, dtype: dtype as TensorSpec["dtype"] }));
  return { text, arguments: emitter.arguments, outputs, values, variables, results: specs };
}

/** Ids of the values that updates take; the slice update gives the whole variable, which is then assigned. */
function updateOperands(program: Program): number[] {
  const ids = program.operations.flatMap((operation) => {
    if (operation.name === "assignSlice") return operation.outputs.map(({ id }) => id);
    const updates = operation.name === "assign" || operation.name === "assignAdd" || operation.name === "adam";
    return updates ? operation.inputs : [];
  });
  return [...new Set(ids)];
}
