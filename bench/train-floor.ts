/**
 * The matmul floor of a workload: the time that TensorFlow takes for the products of Fledge's training step and nothing else. In: a
 * Workload as JSON. Out: seconds, on the last line. The products are those of the traced program itself, whatever their operands:
 * Σ count · median seconds over its distinct products (shapes, transpositions); what the program never computes (scores above
 * the diagonal) is not in it, what it computes twice (scores, for the gradient) is. Operands are of the products' own type, so
 * bfloat16 products are counted without the casts that Fledge makes around them.
 */
import type { Engine } from "../src/engine/engine.js";
import { findTensorFlow } from "../src/engine/find.js";
import type { Operation, Program, Value } from "../src/engine/program.js";
import { TensorFlowGraph, takeFloats, withStatus } from "../src/engine/tensorflow-graph.js";
import { loadTensorFlow, type Pointer, type TfOutput } from "../src/engine/tensorflow-library.js";
import { cast } from "../src/engine/to-tensorflow-updates.js";
import { trace } from "../src/engine/trace.js";
import { compileTraining, trainingVariables } from "../src/train/optimizer.js";
import { median } from "./figures.js";
import type { Workload } from "./shapes.js";

type Precision = "float32" | "bfloat16";
type Product = Extract<Operation, { name: "matMul" }>;

/** The program of a step, traced and not run. */
async function stepProgram({ config, B, T }: Workload, precision: Precision): Promise<Program> {
  const programs: Program[] = [];
  const inits = trainingVariables(config, new Map());
  const variables = new Map([...inits].map(([name, { shape }]) => [name, shape]));
  const nothing = async () => {};
  const tracing = {
    ...{ name: "tensorflow", description: "traces only" },
    ...{ createVariables: nothing, deleteVariables: nothing, readVariables: async () => new Map(), dispose: nothing },
    async compile(name, inputs, step) {
      programs.push(trace(step, { name, inputs, variables, precision }));
      return { run: async () => ({ loss: Float32Array.of(0), norm: Float32Array.of(0) }) as never };
    },
  } satisfies Engine as Engine;
  const ids = new Int32Array(B * T);
  const update = { step: 1, learningRate: 0, weightDecay: 0, clipNorm: 1, tokens: 1 };
  await compileTraining(tracing, config, { B, T }).step({ inputs: ids, targets: ids }, update);
  return programs[0] as Program;
}

const { mixedPrecision, ...work } = JSON.parse(process.argv[2] ?? "") as Workload & { mixedPrecision: boolean };
const precision = mixedPrecision ? "bfloat16" : "float32";
const program = await stepProgram(work, precision);
const values = new Map<number, Value>(program.operations.flatMap(({ outputs }) => outputs).map((v) => [v.id, v]));
const distinct = new Map<string, { readonly product: Product; count: number }>();
for (const operation of program.operations) {
  if (operation.name !== "matMul") continue;
  const shapes = operation.inputs.map((id) => values.get(id)?.shape);
  const key = JSON.stringify([shapes, operation.attributes]);
  const known = distinct.get(key);
  if (known) known.count++;
  else distinct.set(key, { product: operation, count: 1 });
}

const library = loadTensorFlow(findTensorFlow(process.env) ?? "");
let seconds = 0;
for (const { product, count } of distinct.values()) seconds += count * secondsOf(product);
console.log(seconds);

/** Median seconds of one product whose operands lie in variables of its type; only a corner of the result is fetched. */
function secondsOf({ inputs, attributes, outputs }: Product): number {
  const graph = new TensorFlowGraph(library);
  const session = withStatus(library, "open a session", (status) => {
    const options = library.newSessionOptions();
    const opened = library.newSession(graph.graph, options, status) as Pointer;
    library.deleteSessionOptions(options);
    return opened;
  });
  const run = (fetches: readonly TfOutput[], targets: readonly Pointer[]): void => {
    const results: Pointer[] = fetches.map(() => null);
    withStatus(library, "run a product", (status) =>
      library.sessionRun(
        ...[session, null, [], [], 0, fetches, results, fetches.length, targets, targets.length, null, status],
      ),
    );
    for (const result of results) takeFloats(library, result);
  };
  const result = outputs[0] as Value;
  const single = result.shape.slice(0, -2).every((size) => size === 1);
  const dtype = { type: precision } as const;
  const assignments: Pointer[] = [];
  const operands = inputs.map((id, i) => {
    const { shape: full } = values.get(id) as Value;
    const shape = single ? full.slice(-2) : full;
    const handle = graph.output("VarHandleOp", {
      attributes: { dtype, shape: { shape }, shared_name: { string: `operand ${i}` } },
    });
    const number = graph.constant(Float32Array.of(0.5), [], "float32");
    const attributes = { T: { type: "float32" }, index_type: { type: "int32" } } as const;
    const filled = graph.output("Fill", { inputs: [graph.integers(shape), number], attributes });
    const value = mixedPrecision ? cast(graph, filled, "float32", "bfloat16") : filled;
    assignments.push(graph.operation("AssignVariableOp", { inputs: [handle, value], attributes: { dtype } }));
    return graph.output("ReadVariableOp", { inputs: [handle], attributes: { dtype } });
  });
  const [a, b] = [attributes.transposeA, attributes.transposeB].map((bool) => ({ bool })) as [Flag, Flag];
  const made = single
    ? graph.output("MatMul", { inputs: operands, attributes: { T: dtype, transpose_a: a, transpose_b: b } })
    : graph.output("BatchMatMulV2", { inputs: operands, attributes: { T: dtype, adj_x: a, adj_y: b } });
  const rank = single ? 2 : result.shape.length;
  const bounds = [graph.integers(Array(rank).fill(0)), graph.integers(Array(rank).fill(1))];
  const sliced = graph.output("Slice", {
    inputs: [made, ...bounds],
    attributes: { T: dtype, Index: { type: "int32" } },
  });
  const corner = mixedPrecision ? cast(graph, sliced, "bfloat16", "float32") : sliced;
  run([], assignments);
  const times: number[] = [];
  for (let turn = 0; turn < 5; turn++) {
    const began = performance.now();
    run([corner], []);
    times.push((performance.now() - began) / 1000);
  }
  withStatus(library, "close a session", (status) => library.closeSession(session, status));
  withStatus(library, "close a session", (status) => library.deleteSession(session, status));
  graph.close();
  // The first one plans.
  return median(times.slice(1));
}

interface Flag {
  readonly bool: boolean;
}
