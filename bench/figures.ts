/** What benchmarks share: the machine in words, and the median. */
import { availableParallelism, cpus } from "node:os";

/** @returns processor and number of cores: `Intel(R) Xeon(R), 2 cores` */
export function machine(): string {
  return `${cpus()[0]?.model}, ${availableParallelism()} cores`;
}

/** @param values at least one; the upper one of two in the middle */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
