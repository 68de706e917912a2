/** Logits as logarithms of probabilities, and the largest of a list. In: numbers. Out: numbers. It draws nothing. */

/**
 * Natural logarithms of the softmax.
 *
 * @param logits [V]
 * @returns [V], each at most 0
 */
export function logProbabilities(logits: Float32Array): Float64Array {
  let max = -Infinity;
  for (const logit of logits) if (logit > max) max = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  const normal = max + Math.log(sum);
  const logs = new Float64Array(logits.length);
  for (let id = 0; id < logs.length; id++) logs[id] = (logits[id] ?? 0) - normal;
  return logs;
}

/**
 * Indices of the largest values.
 *
 * @param count how many; of equal values the lower index comes first
 * @returns at most `count` indices, the largest value first
 */
export function likeliest(values: ArrayLike<number>, count: number): number[] {
  const best: number[] = [];
  if (count === 0) return best;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? -Infinity;
    if (best.length === count && value <= (values[best.at(-1) ?? 0] ?? -Infinity)) continue;
    let place = best.length;
    while (place > 0 && (values[best[place - 1] ?? 0] ?? -Infinity) < value) place--;
    best.splice(place, 0, index);
    if (best.length > count) best.pop();
  }
  return best;
}
