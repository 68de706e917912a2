/**
 * Gives memory that nothing uses any more back to the system. V8 leaves large arrays until its own heap has grown, and the C
 * library keeps what is freed between blocks in use.
 */
import { trimHeap } from "./engine/native.js";
import { collectGarbage } from "./garbage.js";

/** Collects garbage and returns what it leaves free; some 50 ms. */
export function releaseMemory(): void {
  collectGarbage();
  // The second waits until the arrays of the first are freed.
  collectGarbage();
  trimHeap();
}
