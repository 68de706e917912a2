/**
 * Runs cells, and the handlers of comm messages. In: execute requests, comm messages and interrupts. Out: outputs on iopub,
 * all before the cell's reply. Owns the session process: when it ends, the cell that ran says so and a fresh one is started.
 * Decides what an interrupt that the cell does not obey means. It reads no socket.
 */
import type { CommCommand, CompiledCell, ErrorReport, ExecuteCommand, SessionEvent } from "./channel.js";
import { bundleMetadata } from "./display.js";
import { History } from "./history.js";
import type { Language } from "./language.js";
import type { Header, Json, MessageExtras } from "./protocol.js";
import { notCompiled, sessionEnded, stoppedBeforeStart, typeError, typeWarning } from "./reports.js";
import { type SessionEnd, type SessionListener, SessionProcess } from "./session.js";
import type { CommFrame } from "./session-comms.js";

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
export type Publish = (type: string, content: Json, parent: Header | undefined, extras?: MessageExtras) => void;

/** What the executor needs from its kernel. */
export interface ExecutorHost {
  readonly publish: Publish;
  /** Puts a question to the front end of a running cell. */
  ask(question: InputQuestion, parent: Header): void;
  /** Milliseconds on a clock that only goes forward. */
  now(): number;
}

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
  /** When it was interrupted last. */
  interruptedAt: number | undefined;
  /** Set while the session runs the cell; before that TypeScript checks it. */
  finish: ((done: DoneEvent) => void) | undefined;
}

type Outcome = Pick<DoneEvent, "error" | "userExpressions">;
type ShownEvent = Extract<SessionEvent, { readonly type: "clear" | "result" | "display" }>;
type DoneEvent = Extract<SessionEvent, { readonly type: "done" }>;

// Text that arrives within this time becomes one message.
const GATHER_MILLISECONDS = 10;
// Two interrupts within this time restart the session; a cell that runs on for so long after one says so.
const SECOND_INTERRUPT_MILLISECONDS = 2000;
const COMM_TYPES = { open: "comm_open", message: "comm_msg", close: "comm_close" } as const;
const LONGEST_LAST_TEXT = 4000;
const NOT_STOPPED =
  "The cell has not stopped yet. Interrupt twice within two seconds to restart the session; its variables are lost then.\n";

/** Executes the cells of one kernel. */
export class Executor implements SessionListener {
  readonly history = new History();
  /** Open comms: id → target. */
  readonly comms = new Map<string, string>();
  readonly #folder: string;
  readonly #language: Language;
  readonly #host: ExecutorHost;
  readonly #parents = new Map<number, Header>();
  readonly #counts = new Map<number, number>();
  readonly #running = new Map<number, Running>();
  // Cells that were stopped, of which something winds up.
  readonly #windingUp = new Map<number, Running>();
  #session: SessionProcess | undefined;
  #executions = 0;
  #executionCount = 0;
  #gathered: { readonly name: "stdout" | "stderr"; readonly execution: number; text: string } | undefined;
  #gatherTimer: NodeJS.Timeout | undefined;
  #lastText = "";
  #restarting = false;
  #closing = false;

  /** @param folder the notebook's folder */
  constructor(folder: string, language: Language, host: ExecutorHost) {
    this.#folder = folder;
    this.#language = language;
    this.#host = host;
    this.#session = new SessionProcess(folder, this);
  }

  get executionCount(): number {
    return this.#executionCount;
  }

  /** The header of the request whose cell has been running longest. */
  get runningParent(): Header | undefined {
    const [oldest] = this.#running.keys();
    return this.#parents.get(oldest ?? 0);
  }

  /** Runs one cell to its end. Never rejects: whatever goes wrong becomes the outcome's error. */
  async execute(request: ExecuteRequest, parent: Header): Promise<ExecutionOutcome> {
    const isCounted = request.storeHistory && !request.silent;
    if (isCounted) {
      this.#executionCount++;
      this.history.add(this.#executionCount, request.code);
    }
    const executionCount = this.#executionCount;
    const running = this.#begin(parent, request.silent);
    this.#counts.set(running.execution, executionCount);
    if (!request.silent) {
      this.#host.publish("execute_input", { code: request.code, execution_count: executionCount }, parent);
    }
    // Cells that leave no trace in the count must not take the name of one that does.
    const name = isCounted ? `cell-${executionCount}` : `hidden-${running.execution}`;
    const { error, userExpressions } = await this.#run(request, running, name);
    this.#end(running);
    if (error && !request.silent) this.#host.publish("error", { ...error }, parent);
    return { executionCount, userExpressions, ...(error ? { error } : {}) };
  }

  /** Hands a comm message of the front end to the session. Resolves when its handler has ended; its error goes to stderr. */
  async takeComm(frame: CommFrame, parent: Header): Promise<void> {
    const { kind, commId, targetName = "" } = frame;
    if (kind === "open") this.comms.set(commId, targetName);
    if (kind === "close") this.comms.delete(commId);
    const running = this.#begin(parent, false);
    const { error } = await this.#inSession({ type: "comm", execution: running.execution, frame }, running);
    this.#end(running);
    const text = error?.traceback.join("\n");
    if (text !== undefined) this.#host.publish("stream", { name: "stderr", text: `${text}\n` }, parent);
  }

  /** Stops what is running. Two interrupts within two seconds restart the session, and all variables are lost. */
  interrupt(): void {
    const now = this.#host.now();
    const isSecond = ({ interruptedAt = Number.NEGATIVE_INFINITY }: Running) =>
      now - interruptedAt <= SECOND_INTERRUPT_MILLISECONDS;
    const running = [...this.#running.values()];
    // What winds up is meant only when nothing else runs.
    const inSession = [...(running.length > 0 ? running : this.#windingUp.values())].filter(({ finish }) => finish);
    this.#restarting = inSession.some(isSecond);
    for (const each of [...running, ...inSession]) each.interruptedAt = now;
    if (this.#restarting) this.#session?.kill();
    else if (inSession.length > 0) this.#session?.interrupt();
    setTimeout(() => {
      for (const each of inSession) if (each.interruptedAt === now) this.#tellNotStopped(each);
    }, SECOND_INTERRUPT_MILLISECONDS).unref();
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

  #begin(parent: Header, silent: boolean): Running {
    const running = { execution: ++this.#executions, silent, interruptedAt: undefined, finish: undefined };
    this.#parents.set(running.execution, parent);
    this.#running.set(running.execution, running);
    return running;
  }

  #end({ execution }: Running): void {
    this.#flushText();
    this.#running.delete(execution);
  }

  #tellNotStopped({ execution, silent }: Running): void {
    if (!this.#running.has(execution) || silent) return;
    this.#flushText();
    this.#host.publish("stream", { name: "stderr", text: NOT_STOPPED }, this.#parents.get(execution));
  }

  async #run(request: ExecuteRequest, running: Running, name: string): Promise<Outcome> {
    const { execution } = running;
    try {
      const prepared = await this.#language.prepare(request.code, name);
      if (prepared.code === undefined) {
        return { error: typeError(prepared.problems, request.code, name), userExpressions: {} };
      }
      if (prepared.problems.length > 0 && !running.silent) {
        const text = typeWarning(prepared.problems, request.code, name);
        this.#host.publish("stream", { name: "stderr", text }, this.#parents.get(execution));
      }
      const cell = { fileName: `${name}.ts`, source: request.code, code: prepared.code, map: prepared.map };
      const userExpressions: Record<string, CompiledCell> = {};
      for (const [key, source] of Object.entries(request.userExpressions)) {
        const fileName = `expression-${execution}-${key}`;
        const compiled = await this.#language.expression(source, fileName);
        userExpressions[key] = { fileName: `${fileName}.ts`, source, ...compiled };
      }
      if (running.interruptedAt !== undefined) return { error: stoppedBeforeStart(), userExpressions: {} };
      const command = { type: "execute", execution, cell, allowInput: request.allowStdin, userExpressions } as const;
      return await this.#inSession(command, running);
    } catch (error) {
      return { error: notCompiled(error), userExpressions: {} };
    }
  }

  #inSession(command: ExecuteCommand | CommCommand, running: Running): Promise<DoneEvent> {
    return new Promise((resolve) => {
      running.finish = resolve;
      this.#session ??= new SessionProcess(this.#folder, this);
      this.#session.execute(command);
    });
  }

  // ---- what the session says ----

  text(name: "stdout" | "stderr", text: string, execution: number): void {
    this.#lastText = (this.#lastText + text).slice(-LONGEST_LAST_TEXT);
    if (this.#isSilent(execution)) return;
    if (this.#gathered && (this.#gathered.name !== name || this.#gathered.execution !== execution)) this.#flushText();
    this.#gathered ??= { name, execution, text: "" };
    this.#gathered.text += text;
    this.#gatherTimer ??= setTimeout(() => this.#flushText(), GATHER_MILLISECONDS);
  }

  event(event: Exclude<SessionEvent, { readonly type: "barrier" }>): void {
    this.#flushText();
    if (event.type === "ready") return;
    const running = this.#running.get(event.execution);
    const parent = this.#parents.get(event.execution);
    if (event.type === "done") {
      if (event.windsUp && running) this.#windingUp.set(event.execution, running);
      else this.#windingUp.delete(event.execution);
      running?.finish?.(event);
    } else if (event.type === "input") {
      const { id, prompt, password } = event;
      if (running && parent) this.#host.ask({ id, prompt, password }, parent);
    } else if (event.type === "comm") this.#sendComm(event.frame, parent);
    else if (!this.#isSilent(event.execution)) this.#show(event, parent);
  }

  ended(end: SessionEnd): void {
    this.#flushText();
    this.#session = undefined;
    if (this.#closing) return;
    const report = sessionEnded(end, this.#restarting, this.#lastText);
    this.#restarting = false;
    this.#lastText = "";
    this.#language.reset().catch(() => undefined); // its end is told by the next cell
    for (const commId of this.comms.keys()) this.#host.publish("comm_close", { comm_id: commId, data: {} }, undefined);
    this.comms.clear();
    this.#windingUp.clear();
    // One that never came up would be started again and again; the next cell tries once more.
    if (end.wasReady) this.#session = new SessionProcess(this.#folder, this);
    const running = [...this.#running.values()].filter(({ finish }) => finish);
    for (const { execution, finish } of running) {
      finish?.({ type: "done", execution, error: report, userExpressions: {} });
    }
    if (running.length > 0) return;
    const parent = this.#parents.get(this.#executions);
    this.#host.publish("stream", { name: "stderr", text: `${report.traceback.join("\n")}\n` }, parent);
  }

  #show(event: ShownEvent, parent: Header | undefined): void {
    if (event.type === "clear") this.#host.publish("clear_output", { wait: event.wait }, parent);
    else if (event.type === "result") {
      const count = this.#counts.get(event.execution) ?? this.#executionCount;
      const content = { execution_count: count, data: event.data, metadata: bundleMetadata(event.data) };
      this.#host.publish("execute_result", content, parent);
    } else {
      const transient = event.displayId === undefined ? {} : { display_id: event.displayId };
      const type = event.update ? "update_display_data" : "display_data";
      this.#host.publish(type, { data: event.data, metadata: bundleMetadata(event.data), transient }, parent);
    }
  }

  #sendComm({ kind, commId, targetName, data, metadata, buffers }: CommFrame, parent: Header | undefined): void {
    if (kind === "open") this.comms.set(commId, targetName ?? "");
    if (kind === "close") this.comms.delete(commId);
    const content = { comm_id: commId, data, ...(targetName === undefined ? {} : { target_name: targetName }) };
    const bytes = buffers.map((text) => Buffer.from(text, "base64"));
    this.#host.publish(COMM_TYPES[kind], content, parent, { metadata, buffers: bytes });
  }

  #isSilent(execution: number): boolean {
    return (this.#running.get(execution) ?? this.#windingUp.get(execution))?.silent ?? false;
  }

  #flushText(): void {
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = undefined;
    const gathered = this.#gathered;
    this.#gathered = undefined;
    if (!gathered) return;
    const parent = this.#parents.get(gathered.execution);
    this.#host.publish("stream", { name: gathered.name, text: gathered.text }, parent);
  }
}
