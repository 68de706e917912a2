/**
 * Program → one XlaCallModule in a TensorFlow graph: TensorFlow hands the StableHLO text to XLA, which compiles it at the first run.
 * In: a traced program and the handles of the variables. Out: the same as to-tensorflow.ts. The module computes; variables are
 * updated in place by TensorFlow's own operations, because updates inside a compiled function cost three copies of the state.
 */
import type { Operation, Program } from "./program.js";
import { hasEffect } from "./program.js";
import type { TensorFlowGraph } from "./tensorflow-graph.js";
import type { Pointer, TfOutput } from "./tensorflow-library.js";
import { emitStableHlo, type StableHloModule } from "./to-stablehlo.js";
import type { EmittedProgram } from "./to-tensorflow.js";
import { emitEffect, readVariable, type UpdateContext } from "./to-tensorflow-updates.js";

/** Version of XlaCallModule's calling convention that takes the module as it is. */
const callVersion = 9;

/**
 * Adds a program to a graph, compiled by XLA.
 *
 * @param variables resource handles by variable name
 * @param platform what XLA compiles for
 */
export function emitXlaCall(
  program: Program,
  graph: TensorFlowGraph,
  variables: ReadonlyMap<string, TfOutput>,
  platform: "CPU" | "CUDA",
): EmittedProgram {
  const module = emitStableHlo(program, { state: "outside" });
  const handles = new Map<number, TfOutput>();
  const context: UpdateContext = {
    graph,
    variables,
    effects: [],
    uses: new Map(),
    handle: (id) => handles.get(id) as TfOutput,
  };
  const inputs = new Map<string, TfOutput>();
  const operands = module.arguments.map(({ kind, name, shape, dtype }) => {
    if (kind === "variable") return readVariable(context, name);
    const input = graph.output("Placeholder", { attributes: { dtype: { type: dtype }, shape: { shape } } });
    inputs.set(name, input);
    return input;
  });
  const call = module.results.length > 0 ? callModule(graph, module, operands, platform) : undefined;
  const result = (index: number): TfOutput => ({ oper: call, index });
  for (const [id, index] of module.values) handles.set(id, result(index));
  for (const operation of program.operations) {
    const place = module.arguments.findIndex((argument) => isArgument(operation, argument));
    const id = operation.outputs[0]?.id;
    if (place >= 0 && id !== undefined && !handles.has(id)) handles.set(id, operands[place] as TfOutput);
  }
  // An update in place must not overtake the module that reads the variable.
  if (call) for (const uses of context.uses.values()) uses.reads.push(call);
  for (const operation of program.operations.filter(hasEffect)) {
    context.effects.push(emitEffect(context, asAssignment(operation)));
  }
  const outputs = new Map([...module.outputs].map(([name, index]) => [name, result(index)]));
  return { inputs, outputs, effects: context.effects };
}

function callModule(
  graph: TensorFlowGraph,
  module: StableHloModule,
  operands: readonly TfOutput[],
  platform: string,
): Pointer {
  return graph.operation("XlaCallModule", {
    inputs: [operands],
    attributes: {
      version: { int: callVersion },
      module: { string: module.text },
      Tin: { types: module.arguments.map(({ dtype }) => dtype) },
      Tout: { types: module.results.map(({ dtype }) => dtype) },
      Sout: { shapes: module.results.map(({ shape }) => shape) },
      platforms: { strings: [platform] },
    },
  });
}

function isArgument(operation: Operation, argument: { readonly kind: string; readonly name: string }): boolean {
  if (operation.name === "input") return argument.kind === "input" && argument.name === operation.attributes.name;
  return operation.name === "read" && argument.kind === "variable" && argument.name === operation.attributes.variable;
}

// The module has made the whole variable: it is assigned.
function asAssignment(operation: Operation): Operation {
  if (operation.name !== "assignSlice") return operation;
  const inputs = operation.outputs.map(({ id }) => id);
  return { name: "assign", inputs, outputs: [], attributes: operation.attributes };
}
