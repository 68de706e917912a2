/**
 * Puts the three pipes of a session back into one order. In: chunks of stdout, stderr and events, each cut by the same
 * numbered barriers. Out: text and events, everything before barrier n of all pipes ahead of everything after it.
 * Within one barrier only one pipe is written by JavaScript, so nothing is guessed. A pipe that ended, or on which a barrier
 * does not arrive in time because the user closed the descriptor, no longer holds the others up.
 */
import { LineReader, MarkedTextReader, type PipeName, type SessionEvent } from "./channel.js";

/** Where ordered output goes. */
export interface MergedOutput {
  /** @param execution number of the execution that wrote the text */
  text(name: "stdout" | "stderr", text: string, execution: number): void;
  event(event: Exclude<SessionEvent, { readonly type: "barrier" }>): void;
}

type Item =
  | { readonly kind: "barrier"; readonly barrier: number }
  | { readonly kind: "execution"; readonly execution: number }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "event"; readonly event: Exclude<SessionEvent, { readonly type: "barrier" }> };

interface Pipe {
  readonly name: PipeName;
  items: Item[];
  execution: number;
  ended: boolean;
}

// A barrier is written to the three pipes within microseconds; this is only for descriptors that the user closed.
const PATIENCE_MILLISECONDS = 2000;

/** Merges the output of one session process. */
export class OutputMerger {
  readonly #output: MergedOutput;
  readonly #pipes: Readonly<Record<PipeName, Pipe>>;
  readonly #texts: Readonly<Record<"stdout" | "stderr", MarkedTextReader>>;
  readonly #lines = new LineReader();
  #passed = 0;
  #patience: NodeJS.Timeout | undefined;

  /** @param nonce secret of this session that tells marks from text */
  constructor(nonce: string, output: MergedOutput) {
    this.#output = output;
    const pipe = (name: PipeName): Pipe => ({ name, items: [], execution: 0, ended: false });
    this.#pipes = { stdout: pipe("stdout"), stderr: pipe("stderr"), events: pipe("events") };
    this.#texts = { stdout: new MarkedTextReader(nonce), stderr: new MarkedTextReader(nonce) };
  }

  /** Takes the next bytes of a pipe. */
  push(name: PipeName, bytes: Buffer): void {
    const pipe = this.#pipes[name];
    if (name === "events") {
      for (const line of this.#lines.read(bytes)) {
        const event: SessionEvent = JSON.parse(line);
        pipe.items.push(
          event.type === "barrier" ? { kind: "barrier", barrier: event.barrier } : { kind: "event", event },
        );
      }
    } else {
      for (const part of this.#texts[name].read(bytes)) {
        if ("text" in part) pipe.items.push({ kind: "text", text: part.text });
        else if ("barrier" in part) pipe.items.push({ kind: "barrier", barrier: part.barrier });
        else pipe.items.push({ kind: "execution", execution: part.execution });
      }
    }
    this.#advance();
  }

  /** Notes that a pipe has ended. */
  end(name: PipeName): void {
    this.#pipes[name].ended = true;
    this.#advance();
  }

  #advance(): void {
    const pipes = Object.values(this.#pipes);
    for (;;) {
      for (const pipe of pipes) this.#emit(pipe);
      const next = this.#passed + 1;
      if (!pipes.some((pipe) => pipe.items.length > 0)) break;
      if (!pipes.every((pipe) => pipe.items.length > 0 || pipe.ended)) {
        this.#startPatience();
        return;
      }
      this.#passed = next;
    }
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  // Emits until the pipe is empty or stands at a barrier that others have not passed.
  #emit(pipe: Pipe): void {
    let done = 0;
    for (const item of pipe.items) {
      if (item.kind === "barrier") {
        if (item.barrier > this.#passed) break;
      } else if (item.kind === "execution") pipe.execution = item.execution;
      else if (item.kind === "event") this.#output.event(item.event);
      else if (pipe.name !== "events") this.#output.text(pipe.name, item.text, pipe.execution);
      done++;
    }
    pipe.items = pipe.items.slice(done);
  }

  #startPatience(): void {
    const waitingFor = this.#passed;
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      if (this.#passed === waitingFor) this.#passed++;
      this.#advance();
    }, PATIENCE_MILLISECONDS);
  }
}
