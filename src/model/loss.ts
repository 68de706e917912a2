/**
 * Cross entropy over the vocabulary, in chunks of rows, with its gradient made in the same pass, so that the logits
 * [N, V] never exist whole. In: hidden states, the tied embedding, targets. Out: a sum of nats; the trainer divides.
 */
import * as tf from "@tensorflow/tfjs";
import { hostTiling, type Tiling } from "../engine/engine.js";
import { after } from "../engine/operations.js";

// Far below any logit, yet finite.
const maskedLogit = -1e9;

/** How many rows of hidden states a chunk has, so that its logits stay under the limit. */
export function rowsPerChunk(rows: number, vocabulary: number, limitBytes = hostTiling.logitsBytes): number {
  const most = Math.max(1, Math.floor(limitBytes / (vocabulary * Float32Array.BYTES_PER_ELEMENT)));
  return Math.ceil(rows / Math.ceil(rows / most));
}

/**
 * Sum of −log p(target) over the rows whose target is not negative.
 *
 * @param hidden [N, C]
 * @param embedding [V, C], the tied head
 * @param targets [N] int32; −1 marks a row that carries no loss
 * @param tiling bytes of logits at once, 105 MB by default, and what the vocabulary is padded to; the columns that are added get no
 *   probability
 * @returns scalar, nats; differentiable by `hidden` and `embedding`
 */
export function crossEntropySum(
  hidden: tf.Tensor,
  embedding: tf.Tensor,
  targets: tf.Tensor,
  { logitsBytes, vocabularyMultiple }: Tiling = hostTiling,
): tf.Tensor {
  const [N, C] = hidden.shape as [number, number];
  const V = embedding.shape[0] as number;
  const added = Math.ceil(V / vocabularyMultiple) * vocabularyMultiple - V;
  const chunkRows = rowsPerChunk(N, V + added, logitsBytes);
  const loss = tf.customGrad((...values) => {
    const [h, words, save] = values as unknown as [tf.Tensor2D, tf.Tensor2D, (tensors: tf.Tensor[]) => void];
    const e = added > 0 ? tf.concat([words, tf.zeros([added, C])], 0) : words; // [V + added, C]
    const mask = added > 0 && tf.concat([tf.zeros([1, V]), tf.fill([1, added], maskedLogit)], 1); // [1, V + added]
    const hiddenGradients: tf.Tensor2D[] = [];
    let embeddingGradient: tf.Tensor | undefined;
    let total: tf.Tensor = tf.scalar(0);
    for (let begin = 0; begin < N; begin += chunkRows) {
      const rows = Math.min(chunkRows, N - begin);
      const whole = embeddingGradient ? after(h, embeddingGradient) : h; // one chunk after the other
      const chunk = tf.slice(whole as tf.Tensor2D, [begin, 0], [rows, C]); // [n, C]
      const ids = tf.slice(targets as tf.Tensor1D, [begin], [rows]); // [n]
      const counted = tf.cast(tf.greaterEqual(ids, tf.scalar(0, "int32")), "float32"); // [n]
      const weight = tf.reshape(counted, [rows, 1]); // [n, 1]
      const products = tf.matMul(chunk, e, false, true); // [n, V + added]
      const logits = mask ? tf.add(products, mask) : products;
      const { losses, gradient } = sparseCrossEntropy(logits, tf.maximum(ids, tf.scalar(0, "int32")));
      total = tf.add(total, tf.sum(tf.mul(losses, counted)));
      hiddenGradients.push(tf.mul(tf.matMul(gradient, e), weight) as tf.Tensor2D); // [n, C]
      const contribution = tf.matMul(gradient, tf.mul(chunk, weight), true, false); // [V + added, C]
      embeddingGradient = embeddingGradient ? tf.add(embeddingGradient, contribution) : contribution;
    }
    const gradient = embeddingGradient as tf.Tensor;
    const ofWords = added > 0 ? tf.slice(gradient, [0, 0], [V, C]) : gradient; // [V, C]
    // The backward pass begins when the chunks have given their memory back.
    save([after(tf.concat(hiddenGradients, 0), gradient), ofWords]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => saved.map((gradient) => tf.mul(gradient, dy));
    return { value: total, gradFunc };
  });
  return loss(hidden, embedding);
}

/**
 * Cross entropy of each row, and its gradient by the logits: softmax minus one-hot. A backend that has a fused kernel
 * of this name uses it.
 *
 * @param logits [N, V]
 * @param targets [N] int32, each in 0 … V-1
 * @returns losses [N] in nats, gradient [N, V]
 */
export function sparseCrossEntropy(logits: tf.Tensor, targets: tf.Tensor): { losses: tf.Tensor; gradient: tf.Tensor } {
  const kernel = "SparseCrossEntropy";
  if (tf.getKernel(kernel, tf.getBackend())) {
    const inputs = { logits, targets } as unknown as tf.NamedTensorMap;
    const [losses, gradient] = tf.engine().runKernel(kernel, inputs) as unknown as [tf.Tensor, tf.Tensor];
    return { losses, gradient };
  }
  const shifted = tf.sub(logits, tf.max(logits, -1, true)); // [N, V]
  const exponentials = tf.exp(shifted);
  const sum = tf.sum(exponentials, -1, true); // [N, 1]
  const oneHot = tf.cast(tf.oneHot(targets as tf.Tensor1D, logits.shape[1] as number), "float32"); // [N, V]
  const picked = tf.sum(tf.mul(shifted, oneHot), -1); // [N]
  return {
    losses: tf.sub(tf.log(tf.squeeze(sum, [1])), picked),
    gradient: tf.sub(tf.div(exponentials, sum), oneHot),
  };
}
