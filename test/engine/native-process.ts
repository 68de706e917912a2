/** Calls a C function off the main thread that needs a megabyte of stack: glibc's regcomp, a few frames for each open parenthesis. */
import { allocateMemory, openNative } from "../../src/engine/native.js";

const regcomp = openNative("libc.so.6").func("int regcomp(void *, const char *, int)");
const depth = 3000;
const extended = 1;
regcomp.async(
  ...[allocateMemory(256), "(".repeat(depth) + ")".repeat(depth), extended],
  (failure: unknown, code: number) => console.log(failure ?? code),
);
