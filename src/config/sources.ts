/**
 * Knobs from four places: an object, a JSON file, the command line, the environment. In: what each of them says. Out: the
 * settings for `train()`, where each came from, and what was said in vain because an earlier place had already decided.
 * It completes and checks no configuration as a whole (config.ts does); single values are checked where they were written.
 */

import { checkKnob, checkKnobName, type KnobName, knobNames, type TrainingConfig } from "../config.js";
import { readJson } from "../files.js";
import { nearest, problem } from "../message.js";
import type { Knob } from "./knob.js";
import { knobs } from "./knobs.js";

/** Where knobs may be set, the first of them decides. */
export interface SettingSources {
  /** Knobs in code. */
  readonly settings?: Partial<TrainingConfig>;
  /** Path of a JSON file that holds an object of knobs. */
  readonly file?: string;
  /** Words of a command line: `--learning-rate 1e-3`, `--resume`, `--no-keep-best`. */
  readonly words?: readonly string[];
  /** Such as process.env: `FLEDGE_LEARNING_RATE=1e-3`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** What the sources say together. */
export interface GatheredSettings {
  readonly settings: Partial<TrainingConfig>;
  /** Where each knob that is set came from, for people: `--learning-rate`, `run.json`. */
  readonly origins: ReadonlyMap<KnobName, string>;
  /** One sentence for each value that had no effect. */
  readonly overruled: readonly string[];
}

/** Variables of the environment that begin with FLEDGE_ and are no knobs. */
const OTHER_VARIABLES = ["FLEDGE_QUICK", "FLEDGE_TENSORFLOW", "FLEDGE_PYTHON"];

/**
 * Gathers settings: an object comes first, then the file, the command line, the environment.
 *
 * @throws RangeError for an unknown knob, option or variable (with the nearest known one) or a value out of range
 * @throws SyntaxError or Error when the file cannot be read
 * @example
 * const { settings } = await gatherSettings({ words: ["--learning-rate", "1e-3"], environment: process.env });
 */
export async function gatherSettings(sources: SettingSources): Promise<GatheredSettings> {
  const said: Said[] = [
    ...Object.entries(sources.settings ?? {}).map(([name, value]) => ({ name, value, origin: "the code" })),
    ...(sources.file === undefined ? [] : await readFileKnobs(sources.file)),
    ...readWords(sources.words ?? []),
    ...readEnvironment(sources.environment ?? {}),
  ];
  const settings: Record<string, unknown> = {};
  const origins = new Map<KnobName, string>();
  const overruled: string[] = [];
  for (const { name, value, origin } of said) {
    if (value === undefined) continue;
    checkKnobName(name, origin === "the code" ? "the training configuration" : origin);
    const first = origins.get(name);
    if (first === undefined) {
      settings[name] = value;
      origins.set(name, origin);
    } else if (JSON.stringify(settings[name]) !== JSON.stringify(value)) {
      const [used, unused] = [settings[name], value].map((one) => JSON.stringify(one));
      overruled.push(`${name} is ${used} by ${first}; ${unused} by ${origin} has no effect`);
    }
  }
  return { settings, origins, overruled };
}

interface Said {
  readonly name: string;
  readonly value: unknown;
  readonly origin: string;
}

async function readFileKnobs(path: string): Promise<Said[]> {
  const json = await readJson(path, "the training configuration");
  return Object.entries(json).map(([name, value]) => ({ name, value, origin: path }));
}

/** The option of a knob on a command line: `--learning-rate`. */
export function optionOf(name: KnobName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The variable of a knob in the environment: `FLEDGE_LEARNING_RATE`. */
export function variableOf(name: KnobName): string {
  return `FLEDGE_${optionOf(name).slice(2).replaceAll("-", "_").toUpperCase()}`;
}

function readWords(words: readonly string[]): Said[] {
  const byOption = new Map(knobNames.map((name) => [optionOf(name), name]));
  const values = new Map<KnobName, string[]>();
  for (let i = 0; i < words.length; i++) {
    const [option = "", ...rest] = (words[i] as string).split("=");
    const negated = option.startsWith("--no-") ? byOption.get(`--${option.slice(5)}`) : undefined;
    const name = byOption.get(option) ?? negated;
    if (name === undefined) throw unknownOption(words[i] as string, [...byOption.keys()]);
    const isSwitch = knobs[name].type.includes("boolean");
    const next = words[i + 1];
    if (negated) values.set(name, ["false"]);
    else if (rest.length > 0) append(values, name, rest.join("="));
    else if (isSwitch && (next === undefined || !["true", "false", "auto"].includes(next))) values.set(name, ["true"]);
    else if (next === undefined || next.startsWith("--")) throw missingValue(option, knobs[name]);
    else {
      append(values, name, next);
      i++;
    }
  }
  return [...values].map(([name, given]) => readText(name, given, optionOf(name)));
}

function append(values: Map<KnobName, string[]>, name: KnobName, value: string): void {
  values.set(name, [...(values.get(name) ?? []), value]);
}

function readEnvironment(environment: Readonly<Record<string, string | undefined>>): Said[] {
  const byVariable = new Map(knobNames.map((name) => [variableOf(name), name]));
  const said: Said[] = [];
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith("FLEDGE_") || value === undefined || value === "") continue;
    const name = byVariable.get(variable);
    if (name !== undefined) said.push(readText(name, [value], variable));
    else if (!OTHER_VARIABLES.includes(variable)) checkVariable(variable, [...byVariable.keys()]);
  }
  return said;
}

// Another program may have variables of its own; one that is nearly ours is a slip of the pen.
function checkVariable(variable: string, known: readonly string[]): void {
  const near = nearest(
    variable.slice(7),
    known.map((name) => name.slice(7)),
  );
  if (near === undefined) return;
  throw new RangeError(
    problem({
      cannot: "read the environment",
      found: `a variable ${variable}`,
      expected: `FLEDGE_${near}`,
      fix: `rename it to FLEDGE_${near}, or unset it`,
    }),
  );
}

function readText(name: KnobName, given: readonly string[], origin: string): Said {
  const value = (knobs[name] as Knob).parse(given);
  checkKnob(name, value, origin);
  return { name, value, origin };
}

function unknownOption(word: string, known: readonly string[]): RangeError {
  const option = word.split("=")[0] as string;
  const near = option.startsWith("--") ? nearest(option, known) : undefined;
  return new RangeError(
    problem({
      cannot: "read the command line",
      found: option.startsWith("-") ? `an option ${option}` : `the word "${word}"`,
      expected: near ?? "options such as --learning-rate 1e-3",
      fix: near ? `write ${near}` : "see the list with --help",
    }),
  );
}

function missingValue(option: string, { range, default: standard }: Knob): RangeError {
  const fix = `write ${option} ${Array.isArray(standard) ? "…" : String(standard)}`;
  return new RangeError(problem({ cannot: `use ${option}`, found: "no value behind it", expected: range, fix }));
}
