/** Which operations of a token's program become one in TensorFlow: read from what is added to the graph, so it runs nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type * as tf from "@tensorflow/tfjs";
import type { NodeSpec, TensorFlowGraph } from "../../src/engine/tensorflow-graph.js";
import { emitTensorFlow } from "../../src/engine/to-tensorflow.js";
import { trace } from "../../src/engine/trace.js";
import { decodeStep } from "../../src/model/decode.js";
import { weightShapes } from "../../src/model/gpt2-config.js";

const config = {
  vocabularySize: 11,
  positions: 16,
  width: 8,
  layers: 2,
  heads: 2,
  layerNormEpsilon: 1e-5,
  endOfTextId: 0,
};

// What the fused products of a token's program do beside the product.
function fusedProducts(rows: number, fixed: boolean): string[] {
  const inputs = {
    tokens: { shape: [rows], dtype: "int32" },
    slot: { shape: [], dtype: "int32" },
    starts: { shape: [rows], dtype: "int32" },
  } as const;
  const caches = Array.from({ length: 2 * config.layers }, (_, i) => [`cache${i}`, [2 * rows, 16, 4]] as const);
  const program = trace(
    ({ tokens, slot, starts }, variables) => ({
      logits: decodeStep(
        ...([tokens, slot, starts] as [tf.Tensor, tf.Tensor, tf.Tensor]),
        { B: rows, P: 16 },
        (name) => variables.read(name),
        config,
        (layer, part, value) =>
          variables.assignSlice(`cache${2 * layer + Number(part === "value")}`, slot as tf.Tensor, value),
      ),
    }),
    { name: "token", inputs, variables: new Map([...weightShapes(config), ...caches]), precision: "float32" },
  );
  const made: string[] = [];
  let count = 0;
  const output = (type: string, { attributes = {} }: NodeSpec) => {
    const fusion = attributes.fused_ops as { strings: string[] } | undefined;
    if (type === "_MklNativeFusedMatMul") made.push(fusion?.strings.join("+") as string);
    return { oper: count++, index: 0 };
  };
  const constant = () => ({ oper: count++, index: 0 });
  const graph = { output, constant, integers: constant, operation: () => count++ } as unknown as TensorFlowGraph;
  emitTensorFlow(program, graph, new Map(), "CPU", fixed);
  return made;
}

test("emitTensorFlow() fuses each linear layer of several rows with its GELU or its residual", () => {
  const products = fusedProducts(4, true).filter((kind) => kind !== "BiasAdd");
  const layer = ["BiasAdd+Add", "BiasAdd+GeluApproximate", "BiasAdd+Add"];
  assert.deepEqual(products, [...layer, ...layer]);
});

test("emitTensorFlow() fuses nothing of one row, or where weights may change", () => {
  assert.deepEqual(fusedProducts(1, true), []);
  assert.deepEqual(fusedProducts(4, false), []);
});
