/**
 * The session process: runs the cells and nothing else. In: commands on fd 4, read by a thread of its own, so that an
 * interrupt is noticed while a cell computes. Out: text on fd 1 and 2, events on fd 3. It knows no Jupyter message.
 * Cells run through the inspector's REPL mode: top-level await, redeclaration, live bindings.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { Console } from "node:console";
import { relative } from "node:path";
import { Worker } from "node:worker_threads";
import { packageRoot } from "../src/paths.js";
import { cellSignal, type DisplayOptions, display, displayHook } from "../src/view/display.js";
import { progress } from "../src/view/progress-of.js";
import type { CommCommand, ExecuteCommand, SessionCommand } from "./channel.js";
import { displayBundle, mimeBundle } from "./display.js";
import { Evaluator } from "./evaluate.js";
import { InputDesk } from "./input.js";
import { Interrupter, KeyboardInterrupt, type Task } from "./interrupt.js";
import { cellModules } from "./modules.js";
import { SessionOutput } from "./output.js";
import type { Json } from "./protocol.js";
import { SessionComms } from "./session-comms.js";
import { CellTimers } from "./timers.js";
import { Tracebacks } from "./traceback.js";

const WAITING_MILLISECONDS = 2000;
const WAITING = "Waits for the end of what the stopped cell had called. Stop this cell too to wait no longer.\n";
// Enough to reach the cell from deep inside a library; the traceback shows fewer.
const STACK_FRAMES = 60;

/** Starts the session of this process. @param nonce secret that tells marks from text in stdout and stderr */
function startSession(nonce: string): void {
  const tasks = new AsyncLocalStorage<Task>();
  let lastExecution = 0;
  let running = 0;
  // Executions that were told as stopped and wind up.
  const windingUp = new Set<Promise<unknown>>();
  const executionNow = () => tasks.getStore()?.execution ?? lastExecution;
  const output = new SessionOutput(nonce, executionNow);
  const interrupter = new Interrupter(new Int32Array(new SharedArrayBuffer(8)), tasks);
  const tracebacks = new Tracebacks();
  const evaluator = new Evaluator(tasks);
  const timers = new CellTimers(() => tasks.getStore()?.execution);
  const input = new InputDesk((question) => output.event({ type: "input", ...question }), executionNow);

  const comms = new SessionComms((frame) => output.event({ type: "comm", execution: executionNow(), frame }));

  const thread = new Worker(new URL("./session-thread.js", import.meta.url), { workerData: interrupter.flag });
  replaceStandardStreams(output);
  installHooks(output, executionNow, interrupter);
  timers.install(globalThis);
  Error.prepareStackTrace = tracebacks.prepareStackTrace;
  Error.stackTraceLimit = STACK_FRAMES;
  const folder = process.cwd(); // a cell may change it later
  const modules = cellModules(folder, packageRoot(), (identifier, path, source, { map }) => {
    const near = relative(folder, path);
    tracebacks.addModule(identifier, near.startsWith("..") ? path : near, source, map);
  });
  evaluator.installHost(interrupter, modules);
  // Configurable, so that a cell may declare the same names.
  const found = { input: input.ask, display, progress, comms, require: modules.require };
  for (const [name, value] of Object.entries(found)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  reportStrayErrors(output, tracebacks);

  // What native code prints belongs to the cell that began first.
  const ownNativeText = (execution: number) => {
    if (running > 1) return;
    lastExecution = execution;
    output.startExecution(execution);
  };

  const othersWoundUp = async (execution: number) => {
    if (windingUp.size === 0) return;
    const note = setTimeout(() => output.text("stderr", WAITING), WAITING_MILLISECONDS);
    try {
      await interrupter.await(Promise.all(windingUp));
    } finally {
      clearTimeout(note);
    }
    ownNativeText(execution);
  };

  const execute = async ({ execution, cell, allowInput, userExpressions }: ExecuteCommand) => {
    await othersWoundUp(execution);
    tracebacks.add(cell);
    if (allowInput) input.open(execution);
    const value = await evaluator.evaluate(cell);
    const data = await mimeBundle(value);
    if (data) output.event({ type: "result", execution, data });
    const expressions: Record<string, Json> = {};
    for (const [name, expression] of Object.entries(userExpressions)) {
      tracebacks.add(expression);
      try {
        const data = (await mimeBundle(await evaluator.evaluate(expression))) ?? { "text/plain": "undefined" };
        expressions[name] = { status: "ok", data, metadata: {} };
      } catch (thrown) {
        if (thrown instanceof KeyboardInterrupt) throw thrown;
        expressions[name] = { status: "error", ...tracebacks.report(thrown) };
      }
    }
    return expressions;
  };

  // Whatever it is, it ends with `done`; one that is stopped and winds up says it before that too.
  const run = async (execution: number, body: () => Promise<Record<string, Json>>, onWindUp: () => void) => {
    let stopped = false;
    const onStopped = (interrupt: KeyboardInterrupt) => {
      if (stopped) return;
      stopped = true;
      onWindUp();
      input.close(execution);
      const error = tracebacks.report(interrupt);
      output.event({ type: "done", execution, error, userExpressions: {}, windsUp: true });
    };
    running++;
    ownNativeText(execution);
    timers.begin(execution);
    let interrupted = false;
    try {
      const userExpressions = await interrupter.run(execution, body, onStopped);
      output.event({ type: "done", execution, userExpressions });
    } catch (thrown) {
      interrupted = thrown instanceof KeyboardInterrupt;
      const error = tracebacks.report(thrown);
      if (stopped && !interrupted) output.text("stderr", `${error.traceback.join("\n")}\n`, execution);
      output.event({ type: "done", execution, error, userExpressions: {} });
    } finally {
      running--;
      input.close(execution);
      timers.end(execution, interrupted);
    }
  };

  const start = (execution: number, body: () => Promise<Record<string, Json>>) => {
    const ended: Promise<unknown> = run(execution, body, () => windingUp.add(ended));
    void ended.then(() => windingUp.delete(ended));
  };

  const takeComm = async ({ frame }: CommCommand) => {
    await comms.take(frame);
    return {};
  };

  thread.on("message", (command: SessionCommand) => {
    if (command.type === "interrupt") interrupter.deliver(command.sequence);
    else if (command.type === "input") input.answer(command.id, command.value);
    else if (command.type === "exit")
      void Promise.all(windingUp).then(leave); // the kernel does not wait for ever
    else start(command.execution, () => (command.type === "comm" ? takeComm(command) : execute(command)));
  });
  output.event({ type: "ready" });
}

// Native libraries may not survive the environment's clean-up, so the process leaves without one.
function leave(): void {
  try {
    process.emit("exit", 0);
  } finally {
    Reflect.get(process, "reallyExit").call(process, 0);
  }
}

function replaceStandardStreams(output: SessionOutput): void {
  const stdout = output.stream("stdout");
  const stderr = output.stream("stderr");
  Object.defineProperty(process, "stdout", { configurable: true, enumerable: true, get: () => stdout });
  Object.defineProperty(process, "stderr", { configurable: true, enumerable: true, get: () => stderr });
  // Node's own console also hands every argument to the inspector, which keeps the last thousand alive.
  globalThis.console = new Console({ stdout, stderr });
}

// The contract with libraries, which must not import the kernel.
function installHooks(output: SessionOutput, executionNow: () => number, interrupter: Interrupter): void {
  const show = (value: unknown, { displayId, update = false }: DisplayOptions = {}) => {
    const execution = executionNow();
    const put = (data: Json) => {
      output.event({ type: "display", execution, data, ...(displayId === undefined ? {} : { displayId }), update });
    };
    const bundle = displayBundle(value);
    if (bundle instanceof Promise) return bundle.then(put);
    return put(bundle);
  };
  const clear = (options: { readonly wait?: boolean } = {}) =>
    output.event({ type: "clear", execution: executionNow(), wait: options.wait ?? false });
  Object.defineProperty(globalThis, displayHook, { value: show });
  Object.defineProperty(globalThis, Symbol.for("fledge.clearOutput"), { value: clear });
  Object.defineProperty(globalThis, cellSignal, { get: () => interrupter.signal });
}

// An error that nobody awaits is told and does not end the session.
function reportStrayErrors(output: SessionOutput, tracebacks: Tracebacks): void {
  const tell = (thrown: unknown) => {
    if (thrown instanceof KeyboardInterrupt) return;
    output.text("stderr", `Uncaught (nothing awaits it): ${tracebacks.report(thrown).traceback.join("\n")}\n`);
  };
  process.on("uncaughtException", tell);
  process.on("unhandledRejection", tell);
  process.on("SIGINT", () => undefined); // the kernel decides what an interrupt means
}

startSession(process.argv[2] ?? "");
