/**
 * State updates of a program as TensorFlow operations, in place and in the order in which they were written. In: an operation that
 * changes variables, and the handles of what it takes. Out: graph operations to run for their effect. It opens no session.
 */
import type { DType } from "./engine.js";
import type { Operation, Value } from "./program.js";
import type { NodeSpec, TensorFlowGraph } from "./tensorflow-graph.js";
import type { Pointer, TfDType, TfOutput } from "./tensorflow-library.js";

/** What updates are added to. */
export interface UpdateContext {
  readonly graph: TensorFlowGraph;
  /** Resource handles by variable name. */
  readonly variables: ReadonlyMap<string, TfOutput>;
  /** The handle of a value made before. */
  handle(id: number): TfOutput;
  /** Operations to run for their effect. */
  readonly effects: Pointer[];
  /** What each variable's next read or update must wait for. */
  readonly uses: Map<string, VariableUses>;
  /** The last update of any variable. */
  latest?: Pointer;
}

/** Operations that touched a variable: its last update, and the reads since. */
export interface VariableUses {
  written?: Pointer;
  readonly reads: Pointer[];
}

/** Adds an update that has no result. */
export function emitEffect(context: UpdateContext, operation: Operation): Pointer {
  const inputs = operation.inputs.map((id) => context.handle(id));
  const dtype = { type: "float32" } as const;
  switch (operation.name) {
    case "assign":
    case "assignAdd": {
      const type = operation.name === "assign" ? "AssignVariableOp" : "AssignAddVariableOp";
      const name = operation.attributes.variable;
      const update = { inputs: [variable(context, name), ...inputs], attributes: { dtype } };
      return write(context, [name], type, update);
    }
    case "adam": {
      const [gradient, learningRate, beta1, beta2, beta1Power, beta2Power, epsilon] = inputs as [
        ...[TfOutput, TfOutput, TfOutput, TfOutput],
        ...[TfOutput, TfOutput, TfOutput],
      ];
      const names = [
        operation.attributes.variable,
        operation.attributes.firstMoment,
        operation.attributes.secondMoment,
      ];
      const scalars = [beta1Power, beta2Power, learningRate, beta1, beta2, epsilon];
      return write(context, names, "ResourceApplyAdam", {
        inputs: [...names.map((name) => variable(context, name)), ...scalars, gradient],
        attributes: { T: dtype },
      });
    }
    default:
      throw new Error(`${operation.name} has no effect.`);
  }
}

/**
 * Adds a read of a variable, after the updates written before it, those of other variables too: what is computed from it for an
 * update of its own then takes its memory when the turn has come.
 */
export function readVariable(context: UpdateContext, name: string): TfOutput {
  const uses = usesOf(context, name);
  const read = context.graph.output("ReadVariableOp", {
    inputs: [variable(context, name)],
    attributes: { dtype: { type: "float32" } },
    after: [...new Set([uses.written, context.latest])].filter((update) => update !== undefined),
  });
  uses.reads.push(read.oper);
  return read;
}

/**
 * Overwrites one index of axis 1 where it lies: InplaceUpdate gives back the buffer that it was given, which is the variable's
 * own. An assignment would copy the whole variable at every token.
 *
 * @returns the variable afterwards
 */
export function assignSlice(context: UpdateContext, operation: Extract<Operation, { name: "assignSlice" }>): TfOutput {
  const { graph } = context;
  const name = operation.attributes.variable;
  const { shape } = operation.outputs[0] as Value;
  const [N, P] = shape as [number, number];
  const [value, index] = operation.inputs.map((id) => context.handle(id)) as [TfOutput, TfOutput];
  const uses = usesOf(context, name);
  const read = readVariable(context, name);
  const first = graph.integers(Array.from({ length: N }, (_, row) => row * P));
  const rows = graph.output("AddV2", { inputs: [first, index], attributes: { T: { type: "int32" } } });
  const flat = (x: TfOutput, shape: readonly number[]) => reshape(graph, x, shape, "float32");
  const rest = shape.slice(2);
  const inputs = [flat(read, [N * P, ...rest]), rows, flat(value, [N, ...rest])];
  const updated = graph.output("InplaceUpdate", { inputs, attributes: { T: { type: "float32" } } });
  uses.written = updated.oper;
  context.effects.push(updated.oper);
  return flat(updated, shape);
}

// An update waits for the update before it and for every read since, so that the order of the step function holds.
function write(context: UpdateContext, names: readonly string[], type: string, spec: NodeSpec): Pointer {
  const touched = names.map((name) => usesOf(context, name));
  const after = touched.flatMap(({ written, reads }) => (written ? [written, ...reads] : reads));
  const update = context.graph.operation(type, { ...spec, after });
  context.latest = update;
  for (const uses of touched) {
    uses.written = update;
    uses.reads.length = 0;
  }
  return update;
}

function usesOf(context: UpdateContext, name: string): VariableUses {
  const uses = context.uses.get(name) ?? { reads: [] };
  context.uses.set(name, uses);
  return uses;
}

function variable(context: UpdateContext, name: string): TfOutput {
  return context.variables.get(name) as TfOutput;
}

/** A TensorFlow Cast. */
export function cast(graph: TensorFlowGraph, x: TfOutput, from: TfDType, to: TfDType): TfOutput {
  return graph.output("Cast", { inputs: [x], attributes: { SrcT: { type: from }, DstT: { type: to } } });
}

/** A TensorFlow Reshape; none where `from` has the same rank already. */
export function reshape(
  graph: TensorFlowGraph,
  x: TfOutput,
  shape: readonly number[],
  dtype: DType,
  from?: readonly number[],
): TfOutput {
  if (from && from.length === shape.length) return x;
  const attributes = { T: { type: dtype }, Tshape: { type: "int32" } } as const;
  return graph.output("Reshape", { inputs: [x, graph.integers(shape)], attributes });
}
