/**
 * The run log: one event a line, in `events.jsonl` of the output folder. In: events as they come. Out: the same stream, kept
 * on disk, and the events of earlier processes when a run resumes. A resumed run cuts what was logged after its checkpoint,
 * so that its log is that of an uninterrupted run but for the `start` lines of the resumes, times, speeds and memory.
 * It draws nothing and knows no engine.
 */
import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { exists } from "../files.js";
import { problem } from "../message.js";
import type { TrainEvent } from "./events.js";

/** Name of the run log in `outputDir`: one event a line. */
const logName = "events.jsonl";

/** A log that is open for the events of a run. */
export interface RunLog {
  /** What the run said up to the checkpoint it resumes from. */
  readonly history: readonly TrainEvent[];
  /** Events that the disk has refused so far; they are tried again with the next one. */
  readonly unwritten: number;
  append(event: TrainEvent): Promise<void>;
  /** Brings the log to the disk and returns its length in bytes: what a checkpoint remembers. */
  sync(): Promise<number>;
  /** Cuts the log back to a length that `sync` returned. */
  cut(bytes: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the log of a run.
 *
 * @param keepBytes how much of an earlier log stays: what `sync` returned at the checkpoint; 0 starts a new log
 */
export async function openRunLog(outputDir: string, keepBytes: number): Promise<RunLog> {
  const path = join(outputDir, logName);
  const earlier = keepBytes > 0 && (await exists(path)) ? await readFile(path) : Buffer.alloc(0);
  const kept = earlier.subarray(0, earlier.subarray(0, keepBytes).lastIndexOf(lineBreak) + 1);
  // Not anew: a log that is to be kept must not be gone for a moment.
  const file = await open(path, (await exists(path)) ? "r+" : "wx+");
  await file.truncate(kept.length);
  return new OpenLog(file, kept.length, parseLines(kept.toString("utf8"), path));
}

const lineBreak = "\n".charCodeAt(0);

class OpenLog implements RunLog {
  private waiting: Buffer[] = [];

  constructor(
    private readonly file: FileHandle,
    private bytes: number,
    readonly history: readonly TrainEvent[],
  ) {}

  get unwritten(): number {
    return this.waiting.length;
  }

  // A full disk must not end a run: lines wait until there is room again.
  async append(event: TrainEvent): Promise<void> {
    this.waiting.push(Buffer.from(`${JSON.stringify(event)}\n`));
    try {
      for (let line = this.waiting[0]; line; line = this.waiting[0]) {
        await this.write(line);
        this.waiting.shift();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    }
  }

  async sync(): Promise<number> {
    await this.file.sync();
    return this.bytes;
  }

  async cut(bytes: number): Promise<void> {
    this.bytes = bytes;
    this.waiting = [];
    await this.file.truncate(bytes);
  }

  close(): Promise<void> {
    return this.file.close();
  }

  // What a full disk took of a line is overwritten when the line is tried again.
  private async write(line: Buffer): Promise<void> {
    for (let done = 0; done < line.length; ) {
      done += (await this.file.write(line, done, line.length - done, this.bytes + done)).bytesWritten;
    }
    this.bytes += line.length;
  }
}

/** Passes events on, each logged first. Leaving the loop reaches the trainer, which then writes its checkpoint. */
export async function* logged<Result>(
  events: AsyncGenerator<TrainEvent, Result>,
  log: Pick<RunLog, "append">,
): AsyncGenerator<TrainEvent, Result> {
  let finished = false;
  try {
    while (true) {
      const next = await events.next();
      if (next.done) {
        finished = true;
        return next.value;
      }
      await log.append(next.value);
      yield next.value;
    }
  } finally {
    if (!finished) await events.return(undefined as never);
  }
}

/**
 * Reads the events of a run back, those of before an interruption included.
 *
 * @param outputDir the run's `outputDir`
 * @throws RangeError when no run has written there
 */
export async function readRunLog(outputDir: string): Promise<TrainEvent[]> {
  const file = join(outputDir, logName);
  if (!(await exists(file))) {
    const fix = "run train() first, or give the outputDir of a run";
    throw new RangeError(problem({ cannot: `read the run log of ${outputDir}`, found: "none", expected: file, fix }));
  }
  return parseLines(await readFile(file, "utf8"), file);
}

/** The run whose log lies in a folder, or undefined when there is none. */
export async function loggedRunId(outputDir: string): Promise<string | undefined> {
  const events = await readRunLog(outputDir).catch((): TrainEvent[] => []);
  return events.find((event) => event.type === "start")?.runId;
}

// What follows the last line break is empty, or a line that a killed process did not finish.
function parseLines(text: string, path: string): TrainEvent[] {
  const lines = text.split("\n").slice(0, -1);
  return lines.map((line, i) => {
    try {
      return JSON.parse(line) as TrainEvent;
    } catch (error) {
      const found = `line ${i + 1}: ${(error as Error).message}`;
      const fix = "delete the file; the run goes on without what it said before";
      throw new SyntaxError(
        problem({ cannot: `read the run log ${path}`, found, expected: "one event of JSON a line", fix }),
        { cause: error },
      );
    }
  });
}
