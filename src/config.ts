/**
 * A training configuration, complete and checked. In: the knobs that the user set. Out: a whole TrainingConfig, checked knob
 * by knob and as a whole, before anything is loaded or allocated. The table of knobs is config/knobs.ts, other sources than
 * an object are read by config/sources.ts. It reads no files and no environment.
 */
import { checkKnobsTogether } from "./config/contradictions.js";
import type { Knob } from "./config/knob.js";
import { knobs } from "./config/knobs.js";
import type { TrainingConfig } from "./config/training-config.js";
import { nearest, problem } from "./message.js";

export type { TrainingConfig };

/** The name of a knob. */
export type KnobName = keyof TrainingConfig;

/** The names of all knobs, in the order of the table. */
export const knobNames = Object.keys(knobs) as readonly KnobName[];

/** The defaults of every knob. */
export const trainingDefaults = Object.fromEntries(
  Object.entries(knobs).map(([name, knob]) => [name, knob.default]),
) as unknown as TrainingConfig;

/**
 * Completes and checks a configuration.
 *
 * @param settings the knobs to change
 * @returns every knob
 * @throws RangeError for an unknown knob (with the nearest known one) or a value out of range; TypeError for a value of
 * another type
 * @example
 * resolveConfig({ numEpochs: 5 }).batchSize; // 4
 */
export function resolveConfig(settings: Partial<TrainingConfig> = {}): TrainingConfig {
  for (const name of Object.keys(settings)) checkKnobName(name, "the training configuration");
  const defined = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const config: TrainingConfig = { ...trainingDefaults, ...defined };
  for (const name of knobNames) checkKnob(name, config[name]);
  checkKnobsTogether(config);
  return config;
}

/**
 * Refuses a name that is no knob.
 *
 * @param source where it was read, as in "Cannot read …"
 * @throws RangeError with the nearest known name
 */
export function checkKnobName(name: string, source: string): asserts name is KnobName {
  if (Object.hasOwn(knobs, name)) return;
  const near = nearest(name, knobNames);
  throw new RangeError(
    problem({
      cannot: `read ${source}`,
      found: `a knob named "${name}"`,
      expected: near ? `"${near}"` : `one of ${knobNames.join(", ")}`,
      fix: near ? `rename it to ${near}` : `remove ${name}`,
    }),
  );
}

/**
 * Refuses a value that a knob does not take.
 *
 * @param option how the user wrote the knob, when not as a property: `--learning-rate`
 * @throws TypeError or RangeError with the range and the default
 */
export function checkKnob(name: KnobName, value: unknown, option?: string): void {
  const knob: Knob = knobs[name];
  if (knob.accepts(value)) return;
  const standard = JSON.stringify(knob.default);
  const fix = option ? `leave ${option} out for the default, ${standard}` : `set ${name}: ${standard}, the default`;
  const found = typeof value === "string" || Array.isArray(value) ? JSON.stringify(value) : String(value);
  const Kind = typeof value === typeof knob.default || option ? RangeError : TypeError;
  throw new Kind(problem({ cannot: `use ${option ?? name}`, found, expected: knob.range, fix }));
}
