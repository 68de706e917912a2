/** V8's garbage collector, called now. It frees nothing but JavaScript's own garbage: see release-memory.ts for the rest. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collects garbage; the large arrays among it may be freed a little later, on another thread. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  collect();
}
