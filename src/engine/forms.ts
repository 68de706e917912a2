/**
 * Which form of a program TensorFlow runs here: the graph, or what `npm run bench:forms` found faster on this machine. In: the folder of
 * measurements. Out: a form with its reason. It measures nothing by itself: a choice made by the clock of each run would change the
 * numbers of a run from one time to the next.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, homedir } from "node:os";
import { join } from "node:path";
import type { Form, Precision } from "./engine.js";
import type { Environment } from "./find.js";

/** Seconds of a training step in each form. */
export type FormSeconds = Readonly<Record<Form, number>>;

/** Where compiled programs and measurements are kept: FLEDGE_CACHE, else `~/.cache/fledge/programs`. */
export function programCache(environment: Environment): string {
  return environment.FLEDGE_CACHE ?? join(homedir(), ".cache", "fledge", "programs");
}

/** Keeps a measurement for this machine and precision. */
export function recordForms(environment: Environment, precision: Precision, seconds: FormSeconds): void {
  const file = recordFile(environment);
  mkdirSync(programCache(environment), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...readRecords(file), [machine(precision)]: seconds }, undefined, 2)}\n`);
}

/**
 * The form to run, and why.
 *
 * @returns the faster of what was measured here; else the graph, which needs no time to compile and gains from bfloat16
 *   (docs/decisions.md)
 */
export function chooseForm(environment: Environment, precision: Precision): { form: Form; because: string } {
  const seconds = readRecords(recordFile(environment))[machine(precision)];
  if (!seconds) return { form: "graph", because: "graph form, nothing else was measured here" };
  const form = seconds.xla < seconds.graph ? "xla" : "graph";
  const [mine, other] = form === "xla" ? [seconds.xla, seconds.graph] : [seconds.graph, seconds.xla];
  return { form, because: `${form} form, measured here: ${mine.toFixed(3)} s a step against ${other.toFixed(3)}` };
}

function recordFile(environment: Environment): string {
  return join(programCache(environment), "forms.json");
}

function machine(precision: Precision): string {
  return `${cpus()[0]?.model ?? "unknown processor"}, ${availableParallelism()} cores, ${precision}`;
}

// A file that is damaged counts as none.
function readRecords(file: string): Readonly<Record<string, FormSeconds>> {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, FormSeconds>>;
  } catch {
    return {};
  }
}
