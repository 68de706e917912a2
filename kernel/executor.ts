/**
 * Runs cells one after the other. In: execute requests and interrupts. Out: outputs on iopub, all before the cell's reply.
 * Owns the session process: when it ends, the cell that ran says so and a fresh one is started. Decides what an interrupt
 * that the cell does not obey means. It reads no socket.
 */
import type { CompiledCell, ErrorReport, ExecuteCommand, SessionEvent } from "./channel.js";
import type { CellProblem } from "./checker.js";
import { codeFrame } from "./code-frame.js";
import { History } from "./history.js";
import type { Language } from "./language.js";
import type { Header, Json } from "./protocol.js";
import { type SessionEnd, type SessionListener, SessionProcess } from "./session.js";

/** The content of an execute_request, with its defaults. */
export interface ExecuteRequest {
  readonly code: string;
  readonly silent: boolean;
  readonly storeHistory: boolean;
  /** Whether the front end answers questions of the cell. */
  readonly allowStdin: boolean;
  readonly userExpressions: Readonly<Record<string, string>>;
}

/** Publishes one message on iopub. */
export type Publish = (type: string, content: Json, parent: Header | undefined) => void;

/** A question of the running cell to whoever looks at it. */
export interface InputQuestion {
  readonly id: number;
  readonly prompt: string;
  readonly password: boolean;
}

/** How an execution ended. */
export interface ExecutionOutcome {
  readonly executionCount: number;
  readonly error?: ErrorReport;
  readonly userExpressions: Json;
}

interface Running {
  readonly execution: number;
  readonly silent: boolean;
  interrupts: number;
  /** Set while the session runs the cell; before that TypeScript checks it. */
  finish: ((done: DoneEvent) => void) | undefined;
}

type DoneEvent = Extract<SessionEvent, { readonly type: "done" }>;

// Text that arrives within this time becomes one message.
const GATHER_MILLISECONDS = 10;
// After a second interrupt the cell has this long before its session is ended.
const LAST_CHANCE_MILLISECONDS = 2000;

/** Executes the cells of one kernel. */
export class Executor implements SessionListener {
  readonly history = new History();
  readonly #folder: string;
  readonly #language: Language;
  readonly #publish: Publish;
  readonly #ask: (question: InputQuestion) => void;
  readonly #parents = new Map<number, Header>();
  readonly #counts = new Map<number, number>();
  #session: SessionProcess | undefined;
  #running: Running | undefined;
  #executions = 0;
  #executionCount = 0;
  #gathered: { readonly name: "stdout" | "stderr"; readonly execution: number; text: string } | undefined;
  #gatherTimer: NodeJS.Timeout | undefined;
  #closing = false;

  /** @param folder the notebook's folder @param ask puts a question to the front end of the running cell */
  constructor(folder: string, language: Language, publish: Publish, ask: (question: InputQuestion) => void) {
    this.#folder = folder;
    this.#language = language;
    this.#publish = publish;
    this.#ask = ask;
    this.#session = new SessionProcess(folder, this);
  }

  get executionCount(): number {
    return this.#executionCount;
  }

  /** The header of the request whose cell is running. */
  get runningParent(): Header | undefined {
    return this.#running && this.#parents.get(this.#running.execution);
  }

  /** Runs one cell to its end. Never rejects: whatever goes wrong becomes the outcome's error. */
  async execute(request: ExecuteRequest, parent: Header): Promise<ExecutionOutcome> {
    const execution = ++this.#executions;
    this.#parents.set(execution, parent);
    if (request.storeHistory && !request.silent) {
      this.#executionCount++;
      this.history.add(this.#executionCount, request.code);
    }
    const executionCount = this.#executionCount;
    this.#counts.set(execution, executionCount);
    this.#running = { execution, silent: request.silent, interrupts: 0, finish: undefined };
    if (!request.silent) {
      this.#publish("execute_input", { code: request.code, execution_count: executionCount }, parent);
    }
    const { error, userExpressions } = await this.#run(request, this.#running);
    this.#flushText();
    this.#running = undefined;
    if (error && !request.silent) this.#publish("error", { ...error }, parent);
    return { executionCount, userExpressions, ...(error ? { error } : {}) };
  }

  /** Stops the running cell. A cell that ignores two interrupts loses its session, and with it all variables. */
  interrupt(): void {
    const running = this.#running;
    if (!running) return;
    running.interrupts++;
    if (running.finish) this.#session?.interrupt();
    if (running.interrupts !== 2) return;
    setTimeout(() => {
      if (this.#running === running) this.#session?.kill();
    }, LAST_CHANCE_MILLISECONDS).unref();
  }

  /** Gives the answer to a question to the cell that asked. */
  answerInput(id: number, value: string): void {
    this.#session?.answerInput(id, value);
  }

  /** Ends the session process. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#session?.close();
  }

  async #run(request: ExecuteRequest, running: Running): Promise<Pick<DoneEvent, "error" | "userExpressions">> {
    // Cells that leave no trace in the count must not take the name of one that does.
    const isCounted = request.storeHistory && !request.silent;
    const name = isCounted ? `cell-${this.#executionCount}` : `hidden-${running.execution}`;
    try {
      const prepared = await this.#language.prepare(request.code, name);
      if (prepared.code === undefined)
        return { error: typeError(prepared.problems, request.code, name), userExpressions: {} };
      const cell = { fileName: `${name}.ts`, source: request.code, code: prepared.code, map: prepared.map };
      const userExpressions: Record<string, CompiledCell> = {};
      for (const [key, source] of Object.entries(request.userExpressions)) {
        const fileName = `expression-${running.execution}-${key}`;
        const compiled = await this.#language.expression(source, fileName);
        userExpressions[key] = { fileName: `${fileName}.ts`, source, ...compiled };
      }
      if (running.interrupts > 0) return { error: stoppedBeforeStart(), userExpressions: {} };
      return await this.#runInSession(
        { type: "execute", execution: running.execution, cell, allowInput: request.allowStdin, userExpressions },
        running,
      );
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const evalue = `The kernel could not compile the cell: ${text.split("\n")[0]}`;
      return { error: { ename: "KernelError", evalue, traceback: [evalue, text] }, userExpressions: {} };
    }
  }

  #runInSession(command: ExecuteCommand, running: Running): Promise<DoneEvent> {
    return new Promise((resolve) => {
      running.finish = resolve;
      this.#session ??= new SessionProcess(this.#folder, this);
      this.#session.execute(command);
    });
  }

  // ---- what the session says ----

  text(name: "stdout" | "stderr", text: string, execution: number): void {
    if (this.#isSilent(execution)) return;
    if (this.#gathered && (this.#gathered.name !== name || this.#gathered.execution !== execution)) this.#flushText();
    this.#gathered ??= { name, execution, text: "" };
    this.#gathered.text += text;
    this.#gatherTimer ??= setTimeout(() => this.#flushText(), GATHER_MILLISECONDS);
  }

  event(event: Exclude<SessionEvent, { readonly type: "barrier" }>): void {
    this.#flushText();
    if (event.type === "ready") return;
    if (event.type === "done") {
      if (this.#running?.execution === event.execution) this.#running.finish?.(event);
      return;
    }
    if (event.type === "input") {
      const { id, prompt, password } = event;
      if (this.#running?.execution === event.execution) this.#ask({ id, prompt, password });
      return;
    }
    if (this.#isSilent(event.execution)) return;
    const parent = this.#parents.get(event.execution);
    if (event.type === "clear") this.#publish("clear_output", { wait: event.wait }, parent);
    else if (event.type === "result") {
      const count = this.#counts.get(event.execution) ?? this.#executionCount;
      this.#publish("execute_result", { execution_count: count, data: event.data, metadata: {} }, parent);
    } else {
      const transient = event.displayId === undefined ? {} : { display_id: event.displayId };
      const type = event.update ? "update_display_data" : "display_data";
      this.#publish(type, { data: event.data, metadata: {}, transient }, parent);
    }
  }

  ended(end: SessionEnd): void {
    this.#flushText();
    this.#session = undefined;
    if (this.#closing) return;
    const interrupted = (this.#running?.interrupts ?? 0) >= 2;
    const report = sessionEnded(end, interrupted);
    this.#language.reset().catch(() => undefined); // its end is told by the next cell
    // One that never came up would be started again and again; the next cell tries once more.
    if (end.wasReady) this.#session = new SessionProcess(this.#folder, this);
    const running = this.#running;
    if (running?.finish) {
      running.finish({ type: "done", execution: running.execution, error: report, userExpressions: {} });
    } else this.#publish("stream", { name: "stderr", text: `${report.evalue}\n` }, this.#parents.get(this.#executions));
  }

  #isSilent(execution: number): boolean {
    return this.#running?.execution === execution && this.#running.silent;
  }

  #flushText(): void {
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = undefined;
    const gathered = this.#gathered;
    this.#gathered = undefined;
    if (!gathered) return;
    this.#publish("stream", { name: gathered.name, text: gathered.text }, this.#parents.get(gathered.execution));
  }
}

function typeError(problems: readonly CellProblem[], source: string, name: string): ErrorReport {
  const traceback = problems.flatMap((problem) => [
    `${name}.ts:${problem.line}:${problem.column} - ${problem.code}: ${problem.message}`,
    ...codeFrame(source, problem, problem.length),
    "",
  ]);
  const first = problems[0];
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  return {
    ename: "TypeScriptError",
    evalue: `${first?.message ?? ""}${more}`,
    traceback: [
      ...traceback,
      "The cell did not run. A first line `// @ts-nocheck` would run it without a check of its types.",
    ],
  };
}

function stoppedBeforeStart(): ErrorReport {
  const evalue = "the cell was stopped before it ran";
  return { ename: "KeyboardInterrupt", evalue, traceback: [`KeyboardInterrupt: ${evalue}`] };
}

function sessionEnded({ exitCode, signal, wasReady }: SessionEnd, interrupted: boolean): ErrorReport {
  const how = signal === null ? `exited with code ${exitCode}` : `was ended by signal ${signal}`;
  const why = interrupted ? "did not stop when interrupted twice, so it " : "";
  const then = wasReady ? "A fresh session has started" : "It never became ready; the next cell tries again";
  const hint = signal === "SIGKILL" && !interrupted ? " SIGKILL often means that memory ran out." : "";
  const evalue = `The session process ${why}${how}: all variables are lost. ${then}; run the cells again from the top.${hint}`;
  return { ename: "SessionEnded", evalue, traceback: [evalue] };
}
