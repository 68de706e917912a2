/**
 * Runs notebooks headless: `node dist/kernel/run.js notebooks... --output-dir D`. In: notebooks. Out: the same notebooks with
 * outputs, saved after every cell, and a report with the time of each cell. Stops at the first error with the cell shown,
 * and never waits for ever: a cell has a time limit, a kernel that died is noticed at once.
 */
import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { problem } from "../src/message.js";
import { KernelClient } from "./client.js";
import { KERNEL_NAME, kernelSpec } from "./install.js";
import {
  type Cell,
  cellSource,
  hasTag,
  type Notebook,
  OutputCollector,
  readNotebook,
  writeNotebook,
} from "./notebook.js";
import type { Message } from "./protocol.js";

/** How to run a notebook. */
export interface RunOptions {
  /** Where the executed notebook is saved. */
  readonly outputPath: string;
  /** Seconds one cell may take; default 600. */
  readonly cellTimeoutSeconds?: number;
  /** Environment of the kernel; default: this process's own. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Called after every code cell. */
  readonly onCell?: (cell: CellReport, cellCount: number) => void;
}

/** What became of one code cell. */
export interface CellReport {
  /** Position among all cells of the notebook, from 0. */
  readonly index: number;
  readonly id: string;
  /** First line of its source. */
  readonly title: string;
  readonly seconds: number;
  readonly status: "ok" | "expected error" | "error";
}

/** Why a notebook did not run to its end. */
export interface RunFailure {
  readonly cellIndex: number;
  readonly source: string;
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

/** What became of one notebook. */
export interface NotebookRunReport {
  readonly path: string;
  readonly outputPath: string;
  readonly seconds: number;
  readonly cells: readonly CellReport[];
  /** Peak resident memory of the session process; undefined when the session did not live to tell. */
  readonly peakMemoryBytes?: number;
  readonly failure?: RunFailure;
}

const DEFAULT_CELL_SECONDS = 600;
// After its time is over a cell is interrupted, and has this long to end.
const INTERRUPT_SECONDS = 10;

/**
 * Runs all code cells of a notebook in order, in a fresh kernel.
 *
 * @returns the report; `failure` is set when a cell failed, took too long, or ended the kernel
 * @throws Error or SyntaxError when the notebook cannot be read or the kernel does not start
 * @example
 * const report = await runNotebook("notebooks/01-set-up.ipynb", { outputPath: "notebooks/output/01-set-up.ipynb" });
 */
export async function runNotebook(path: string, options: RunOptions): Promise<NotebookRunReport> {
  const startedAt = performance.now();
  const notebook = await readNotebook(path);
  const client = await KernelClient.start({
    folder: dirname(resolve(path)),
    ...(options.environment ? { environment: options.environment } : {}),
  });
  const cells: CellReport[] = [];
  const codeCells = notebook.cells.filter((cell) => cell.cell_type === "code");
  let failure: RunFailure | undefined;
  let peakMemoryBytes: number | undefined;
  try {
    await describeKernel(notebook, client);
    await client.execute("", { silent: true, storeHistory: false }); // TypeScript is warm before the first cell is timed
    const collector = new OutputCollector();
    const byHeader = new Map<string, Cell>();
    client.onStray = (message) => {
      const cell = byHeader.get(message.parent?.msg_id ?? "");
      if (cell) collector.take(cell, message);
    };
    for (const cell of codeCells) collector.start(cell);
    for (const cell of codeCells) {
      if (failure || hasTag(cell, "skip-execution") || cellSource(cell).trim() === "") continue;
      const index = notebook.cells.indexOf(cell);
      const cellStartedAt = performance.now();
      failure = await runCell(client, cell, index, options.cellTimeoutSeconds ?? DEFAULT_CELL_SECONDS, (message) => {
        byHeader.set(message.parent?.msg_id ?? "", cell);
        collector.take(cell, message);
      });
      const expected = failure !== undefined && hasTag(cell, "raises-exception");
      const report: CellReport = {
        index,
        id: cell.id,
        title: cellSource(cell).trim().split("\n")[0] ?? "",
        seconds: (performance.now() - cellStartedAt) / 1000,
        status: failure === undefined ? "ok" : expected ? "expected error" : "error",
      };
      if (failure && !failure.traceback.length) collector.take(cell, errorMessage(failure));
      if (expected) failure = undefined;
      cells.push(report);
      await writeNotebook(options.outputPath, notebook);
      options.onCell?.(report, codeCells.length);
    }
    if (!failure) peakMemoryBytes = await peakMemory(client);
  } finally {
    await (failure ? client.kill() : client.shutdown());
  }
  await writeNotebook(options.outputPath, notebook);
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    path,
    outputPath: options.outputPath,
    seconds,
    cells,
    ...(peakMemoryBytes === undefined ? {} : { peakMemoryBytes }),
    ...(failure ? { failure } : {}),
  };
}

/** A failure in words: the cell, its source and its traceback. */
export function describeFailure(path: string, failure: RunFailure): string {
  const source = failure.source.split("\n").map((line, index) => `  ${String(index + 1).padStart(3)} | ${line}`);
  const traceback = failure.traceback.length > 0 ? failure.traceback : [`${failure.ename}: ${failure.evalue}`];
  return [`${basename(path)}, cell ${failure.cellIndex + 1} failed:`, "", ...source, "", ...traceback].join("\n");
}

async function runCell(
  client: KernelClient,
  cell: Cell,
  cellIndex: number,
  timeoutSeconds: number,
  onOutput: (message: Message) => void,
): Promise<RunFailure | undefined> {
  const source = cellSource(cell);
  const place = { cellIndex, source };
  let timedOut = false;
  let giveUp: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((settle) => {
    giveUp = setTimeout(() => {
      timedOut = true;
      void client.interrupt().catch(() => undefined);
      giveUp = setTimeout(() => settle(undefined), INTERRUPT_SECONDS * 1000);
    }, timeoutSeconds * 1000);
  });
  try {
    const reply = await Promise.race([client.execute(source, { onOutput }), limit]);
    if (timedOut) {
      const evalue = `the cell took longer than ${timeoutSeconds} s`;
      return { ...place, ename: "Timeout", evalue, traceback: [] };
    }
    if (!reply || reply.content.status === "ok") return undefined;
    const { ename, evalue, traceback } = reply.content;
    return {
      ...place,
      ename: String(ename ?? reply.content.status),
      evalue: String(evalue ?? ""),
      traceback: Array.isArray(traceback) ? traceback.map(String) : [],
    };
  } catch (error) {
    return {
      ...place,
      ename: "KernelDied",
      evalue: error instanceof Error ? error.message : String(error),
      traceback: [],
    };
  } finally {
    clearTimeout(giveUp);
  }
}

async function describeKernel(notebook: Notebook, client: KernelClient): Promise<void> {
  const { content } = await client.request("shell", "kernel_info_request", {});
  const { display_name, language } = kernelSpec();
  notebook.metadata.kernelspec = { name: KERNEL_NAME, display_name, language };
  notebook.metadata.language_info = content.language_info;
}

async function peakMemory(client: KernelClient): Promise<number | undefined> {
  const userExpressions = { peak: "process.resourceUsage().maxRSS" }; // KiB
  const reply = await client.execute("", { silent: true, storeHistory: false, userExpressions }).catch(() => undefined);
  const text = JSON.stringify(reply?.content.user_expressions ?? {});
  const kilobytes = Number(/"text\/plain":"(\d+)"/.exec(text)?.[1]);
  return Number.isFinite(kilobytes) ? kilobytes * 1024 : undefined;
}

// Timeouts and dead kernels have no message of their own; the notebook still shows what happened.
function errorMessage({ ename, evalue }: RunFailure): Message {
  const header = { msg_id: "", session: "", username: "", date: "", msg_type: "error", version: "" };
  const content = { ename, evalue, traceback: [`${ename}: ${evalue}`] };
  return { identities: [], header, parent: undefined, metadata: {}, content, buffers: [] };
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { "output-dir": { type: "string" }, timeout: { type: "string" } },
  });
  const outputFolder = values["output-dir"];
  const timeout = Number(values.timeout ?? DEFAULT_CELL_SECONDS);
  if (positionals.length === 0 || outputFolder === undefined || !(timeout > 0)) {
    const found = process.argv.slice(2).join(" ") || "no arguments";
    const expected = "notebooks, --output-dir and a --timeout above 0 s";
    const fix = "node dist/kernel/run.js notebooks/01.ipynb --output-dir out";
    throw new Error(problem({ cannot: "run notebooks", found, expected, fix }));
  }
  for (const path of positionals) {
    process.stdout.write(`${path}\n`);
    const report = await runNotebook(path, {
      outputPath: join(outputFolder, basename(path)),
      cellTimeoutSeconds: timeout,
      onCell: ({ index, title, seconds, status }) =>
        process.stdout.write(`  cell ${index + 1}: ${seconds.toFixed(1)} s, ${status}  ${title.slice(0, 80)}\n`),
    });
    if (report.failure) {
      process.stderr.write(`${describeFailure(path, report.failure)}\n`);
      return 1;
    }
    const memory = report.peakMemoryBytes ? `, peak memory ${(report.peakMemoryBytes / 1e9).toFixed(2)} GB` : "";
    process.stdout.write(`  ${report.seconds.toFixed(1)} s${memory}, saved as ${report.outputPath}\n`);
  }
  return 0;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().then(
    (code) => process.exit(code),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      process.exit(1);
    },
  );
}
