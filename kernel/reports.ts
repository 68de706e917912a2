/**
 * Errors of a cell that the kernel process words itself: types, a stop before the start, a session that has ended. In: what
 * happened. Out: reports as Jupyter shows them. Errors that the cell throws are worded where they are thrown (traceback.ts).
 */
import { formatBytes } from "../src/view/format.js";
import type { ErrorReport } from "./channel.js";
import type { CellProblem } from "./checker.js";
import { codeFrame } from "./code-frame.js";
import type { SessionEnd } from "./session.js";

const MOST_LAST_LINES = 8;
// What V8 prints around its last words: addresses, and figures of the garbage collector.
const NOISE = /^\s*(\d+: 0x|\[\d+:0x|-{3,}|<-{3}|$)/;

/** A cell whose types do not fit. @param name of the cell, without ending */
export function typeError(problems: readonly CellProblem[], source: string, name: string): ErrorReport {
  const first = problems[0];
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  return {
    ename: "TypeScriptError",
    evalue: `${first?.message ?? ""}${more}`,
    traceback: [
      ...problems.flatMap((problem) => problemLines(problem, source, name)),
      "The cell did not run. A first line `// @ts-nocheck` would run it without a check of its types.",
    ],
  };
}

/** What is said of a cell whose types do not fit and that runs all the same. @param name of the cell, without ending */
export function typeWarning(problems: readonly CellProblem[], source: string, name: string): string {
  return `${problems.flatMap((problem) => problemLines(problem, source, name)).join("\n")}\n`;
}

function problemLines(problem: CellProblem, source: string, name: string): string[] {
  const { line, column, code, message, length } = problem;
  return [`${name}.ts:${line}:${column} - ${code}: ${message}`, ...codeFrame(source, problem, length), ""];
}

/** A cell that was interrupted while its types were checked. */
export function stoppedBeforeStart(): ErrorReport {
  const evalue = "the cell was stopped before it ran";
  return { ename: "KeyboardInterrupt", evalue, traceback: [`KeyboardInterrupt: ${evalue}`] };
}

/** A cell that could not be compiled, which is the kernel's fault. */
export function notCompiled(error: unknown): ErrorReport {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const evalue = `The kernel could not compile the cell: ${text.split("\n")[0]}`;
  return { ename: "KernelError", evalue, traceback: [evalue, text] };
}

/**
 * A session that has ended.
 *
 * @param interruptedTwice whether that was asked for, by two interrupts within two seconds
 * @param lastText the end of what the session printed
 */
export function sessionEnded(end: SessionEnd, interruptedTwice: boolean, lastText: string): ErrorReport {
  const { exitCode, signal, wasReady, peakMemoryBytes } = end;
  const lines = lastText.split("\n").filter((line) => !NOISE.test(line));
  const how = interruptedTwice
    ? "was interrupted twice within two seconds and restarted"
    : signal === null
      ? `exited with code ${exitCode}`
      : `was ended by signal ${signal}`;
  const memory = `peak memory ${peakMemoryBytes === undefined ? "not known" : formatBytes(peakMemoryBytes)}`;
  const then = wasReady ? "A fresh session has started" : "It never became ready; the next cell tries again";
  const hint = interruptedTwice ? "" : memoryHint(signal, lines);
  const evalue = `The session process ${how} (${memory}): all variables are lost. ${then}; run the cells again from the top.${hint}`;
  const shown = interruptedTwice ? [] : lines.slice(-MOST_LAST_LINES);
  return {
    ename: "SessionEnded",
    evalue,
    traceback: shown.length > 0 ? [evalue, "Its last lines:", ...shown.map((line) => `  ${line}`)] : [evalue],
  };
}

function memoryHint(signal: NodeJS.Signals | null, lines: readonly string[]): string {
  if (lines.some((line) => line.includes("JavaScript heap out of memory"))) {
    return " The JavaScript heap was full: start Jupyter with NODE_OPTIONS=--max-old-space-size=8192 (in MB), or keep less.";
  }
  if (signal === "SIGKILL") return " SIGKILL often means that memory ran out.";
  return signal === "SIGSEGV" || signal === "SIGBUS" || signal === "SIGILL" ? " Native code has crashed." : "";
}
