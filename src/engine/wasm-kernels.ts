/**
 * The one kernel that TensorFlow.js' WebAssembly backend lacks for GPT-2: UnsortedSegmentSum, the gradient of a gather.
 * In: nothing. Out: an entry in TensorFlow.js' kernel registry. It loads no WebAssembly itself.
 */
import * as tf from "@tensorflow/tfjs";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";

/** Registers the missing kernel; safe to call twice. */
export function registerWasmKernels(): void {
  if (tf.getKernel("UnsortedSegmentSum", "wasm")) return;
  tf.registerKernel({
    kernelName: "UnsortedSegmentSum",
    backendName: "wasm",
    kernelFunc: ({ inputs, attrs, backend }) => {
      const wasm = backend as BackendWasm;
      const { x, segmentIds } = inputs as { x: tf.TensorInfo; segmentIds: tf.TensorInfo };
      const segments = (attrs as { numSegments: number } | undefined)?.numSegments as number;
      const inner = x.shape.slice(segmentIds.shape.length);
      const result = wasm.makeOutput([segments, ...inner], x.dtype);
      // Views are taken after the allocation, which may move the heap.
      const sums = wasm.typedArrayFromHeap(result).fill(0) as Float32Array;
      const values = wasm.typedArrayFromHeap(x);
      const width = tf.util.sizeFromShape(inner);
      wasm.typedArrayFromHeap(segmentIds).forEach((segment, row) => {
        // As TensorFlow: rows of a negative segment are dropped.
        if (segment < 0) return;
        for (let i = 0; i < width; i++) {
          sums[segment * width + i] = (sums[segment * width + i] as number) + (values[row * width + i] as number);
        }
      });
      return result;
    },
  });
}
