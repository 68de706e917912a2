/**
 * The session's outgoing side. In: text for stdout and stderr, events. Out: bytes on fd 1, 2 and 3, written at once and in
 * order, with the marks that let the kernel restore the order across the three. A write waits when the kernel is slow, so
 * nothing piles up in memory and nothing is dropped.
 */
import { writeSync } from "node:fs";
import { Writable } from "node:stream";
import { barrierMark, executionMark, type PipeName, type SessionEvent } from "./channel.js";

const DESCRIPTORS: Readonly<Record<PipeName, number>> = { stdout: 1, stderr: 2, events: 3 };

/** Writes everything that the session has to say. */
export class SessionOutput {
  readonly #nonce: string;
  readonly #executionNow: () => number;
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));
  readonly #executions = { stdout: 0, stderr: 0 };
  #lastPipe: PipeName = "events";
  #barrier = 0;

  /**
   * @param nonce secret shared with the kernel that tells marks from text
   * @param executionNow number of the execution that the running code belongs to
   */
  constructor(nonce: string, executionNow: () => number) {
    this.#nonce = nonce;
    this.#executionNow = executionNow;
  }

  /** Writes text to stdout or stderr. @param execution default: the one that the running code belongs to */
  text(pipe: "stdout" | "stderr", chunk: string | Uint8Array, execution = this.#executionNow()): void {
    this.#switchTo(pipe);
    this.#belongsTo(pipe, execution);
    this.#write(pipe, chunk);
  }

  /** Makes native output belong to an execution, from now on. */
  startExecution(execution: number): void {
    for (const pipe of ["stdout", "stderr"] as const) this.#belongsTo(pipe, execution);
  }

  /** Sends an event; all text written before it arrives before it. */
  event(event: SessionEvent): void {
    // Native code may have written text since the last event, so an event always stands behind a barrier.
    this.#raiseBarrier();
    this.#lastPipe = "events";
    this.#write("events", `${JSON.stringify(event)}\n`);
  }

  /** A stream for `process.stdout` or `process.stderr` that writes at once. */
  stream(pipe: "stdout" | "stderr"): Writable & { readonly fd: number } {
    const stream = new Writable({
      decodeStrings: false,
      write: (chunk: string | Uint8Array, encoding, callback) => {
        const known = typeof chunk !== "string" || encoding === "utf8" || !Buffer.isEncoding(encoding);
        this.text(pipe, known ? chunk : Buffer.from(chunk, encoding));
        callback();
      },
      destroy: (_error, callback) => callback(null), // process.stdout outlives its end()
    });
    return Object.assign(stream, { fd: DESCRIPTORS[pipe] });
  }

  #belongsTo(pipe: "stdout" | "stderr", execution: number): void {
    if (this.#executions[pipe] === execution) return;
    this.#executions[pipe] = execution;
    this.#write(pipe, executionMark(this.#nonce, execution));
  }

  #switchTo(pipe: PipeName): void {
    if (this.#lastPipe === pipe) return;
    this.#raiseBarrier();
    this.#lastPipe = pipe;
  }

  #raiseBarrier(): void {
    const barrier = ++this.#barrier;
    this.#write("stdout", barrierMark(this.#nonce, barrier));
    this.#write("stderr", barrierMark(this.#nonce, barrier));
    this.#write("events", `${JSON.stringify({ type: "barrier", barrier })}\n`);
  }

  #write(pipe: PipeName, chunk: string | Uint8Array): void {
    let bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    while (bytes.length > 0) {
      try {
        bytes = bytes.subarray(writeSync(DESCRIPTORS[pipe], bytes));
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) return; // the reader is gone
        Atomics.wait(this.#pause, 0, 0, 1);
      }
    }
  }
}
