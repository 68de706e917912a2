/**
 * Supervises one session process from the kernel's side. In: commands. Out: its text and events in order, and a report when
 * the process has ended for whatever reason. It restarts nothing by itself.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Duplex, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import {
  type CommCommand,
  type ExecuteCommand,
  LineReader,
  type PipeName,
  type SessionCommand,
  type SessionEvent,
  type SessionNote,
} from "./channel.js";
import { type MergedOutput, OutputMerger } from "./merge.js";

/** How a session process ended. */
export interface SessionEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Whether it had started at all. */
  readonly wasReady: boolean;
  /** Highest resident memory that it told of, at most a quarter of a second before its end; none when it ended sooner. */
  readonly peakMemoryBytes?: number;
}

/** Where a session's output and end are told. */
export interface SessionListener extends MergedOutput {
  ended(end: SessionEnd): void;
}

// Child processes of a cell may hold the pipes open after the session is gone.
const DRAIN_MILLISECONDS = 300;
const EXIT_MILLISECONDS = 2000;

/** One running session process. */
export class SessionProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #interrupts = 0;
  #peakMemoryBytes: number | undefined;

  /**
   * Starts a session process.
   *
   * @param folder the notebook's folder, working directory of the cells
   */
  constructor(folder: string, listener: SessionListener) {
    const nonce = randomBytes(8).toString("hex");
    const script = fileURLToPath(new URL("./session-process.js", import.meta.url));
    // The ways in which cells and local modules import are marked experimental and would say so on stderr.
    const flags = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];
    this.#child = spawn(process.execPath, [...flags, script, nonce], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
    });
    const wasReady = this.#connect(nonce, listener);
    this.#commands().on("error", () => undefined); // the end of the process is reported by its own event
    const lines = new LineReader();
    this.#commands().on("data", (bytes: Buffer) => {
      for (const line of lines.read(bytes)) this.#peakMemoryBytes = (JSON.parse(line) as SessionNote).peakMemoryBytes;
    });
    this.#ended = this.#drained().then(() => {
      const { exitCode, signalCode } = this.#child;
      const peakMemoryBytes = this.#peakMemoryBytes;
      const memory = peakMemoryBytes === undefined ? {} : { peakMemoryBytes };
      listener.ended({ exitCode, signal: signalCode, wasReady: wasReady(), ...memory });
    });
  }

  /** Runs a cell, or the handler of a comm message; its last event is `done`. */
  execute(command: ExecuteCommand | CommCommand): void {
    this.#send(command);
  }

  /** Stops the running cell, state kept. */
  interrupt(): void {
    this.#send({ type: "interrupt", sequence: ++this.#interrupts });
  }

  /** Answers a question of the running cell. */
  answerInput(id: number, value: string): void {
    this.#send({ type: "input", id, value });
  }

  /** Ends the process at once, whatever it does. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Asks the process to leave, makes it leave when it does not, and waits until it has. */
  async close(): Promise<void> {
    this.#send({ type: "exit" });
    const patience = setTimeout(() => this.kill(), EXIT_MILLISECONDS);
    await this.#ended;
    clearTimeout(patience);
  }

  #connect(nonce: string, listener: SessionListener): () => boolean {
    let ready = false;
    const merger = new OutputMerger(nonce, {
      text: (name, text, execution) => listener.text(name, text, execution),
      event: (event: Exclude<SessionEvent, { readonly type: "barrier" }>) => {
        ready ||= event.type === "ready";
        listener.event(event);
      },
    });
    for (const [name, pipe] of Object.entries(this.#pipes())) {
      const own = name as PipeName;
      pipe.on("data", (bytes: Buffer) => merger.push(own, bytes));
      pipe.on("close", () => merger.end(own));
      pipe.on("error", () => merger.end(own));
    }
    return () => ready;
  }

  #pipes(): Readonly<Record<PipeName, Readable>> {
    const [, stdout, stderr, events] = this.#child.stdio;
    return { stdout: stdout as Readable, stderr: stderr as Readable, events: events as Readable };
  }

  #commands(): Duplex {
    return this.#child.stdio[4] as Duplex;
  }

  #send(command: SessionCommand): void {
    if (this.#commands().writable) this.#commands().write(`${JSON.stringify(command)}\n`);
  }

  async #drained(): Promise<void> {
    const closed = once(this.#child, "close");
    await once(this.#child, "exit");
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, DRAIN_MILLISECONDS).unref())]);
    for (const pipe of Object.values(this.#pipes())) pipe.destroy();
  }
}
