/**
 * Which checkpoint a run goes on from, and whether it may. In: the hashes and knobs that make up a run's identity. Out: the
 * newest whole checkpoint of the same run, or a refusal that names what differs. It changes nothing on disk.
 */
import { type TrainingConfig, trainingDefaults } from "../config.js";
import type { Engine } from "../engine/engine.js";
import { problem } from "../message.js";
import { parameterCount } from "../model/gpt2-config.js";
import { type CheckpointHead, newestCheckpoint } from "./checkpoint.js";
import { loggedRunId } from "./run-log.js";
import type { Progress, TrainingRun } from "./trainer-run.js";

// Knobs that may change when a run goes on: they decide where things lie and when they are said, not what is computed.
const freeKnobs: readonly (keyof TrainingConfig)[] = [
  "outputDir",
  "finalModelDir",
  "logEverySteps",
  "maxMinutes",
  "dataGate",
  "keepBest",
  "tensorboard",
  "memoryLimitGB",
  "preflight",
  "checkpointEverySteps",
  "keepCheckpoints",
  "maxCheckpointGB",
  "resume",
  "resumeAnyway",
];

/**
 * What makes a run itself: every knob that decides what is computed, and the hashes of what it is computed from.
 *
 * @param hashes sha256 of each
 */
export function identityOf(
  config: TrainingConfig,
  hashes: Readonly<Record<"model" | "data" | "tokenizer" | "split", string>>,
): Record<string, string> {
  const knobs = Object.entries(config)
    .filter(([name]) => !freeKnobs.includes(name as keyof TrainingConfig))
    .map(([name, value]) => [name, JSON.stringify(value)]);
  return { ...Object.fromEntries(knobs), ...hashes };
}

/** A checkpoint to go on from, and what the user should know about it. */
export interface ResumePoint {
  readonly checkpoint: CheckpointHead;
  /** Bytes of the run log at the checkpoint. */
  readonly logBytes: number;
  readonly warnings: readonly string[];
}

/**
 * Finds the checkpoint that a run goes on from.
 *
 * @returns undefined when there is none and `resume` is `auto`
 * @throws RangeError when there is none, or when it belongs to a run of another identity
 */
export async function checkpointToResume({
  config,
  identity,
  modelConfig,
}: Pick<TrainingRun, "config" | "identity" | "modelConfig">): Promise<ResumePoint | undefined> {
  const { outputDir, resume, resumeAnyway } = config;
  const newest = await newestCheckpoint(outputDir, await loggedRunId(outputDir));
  if (!newest && resume === "auto") return undefined;
  if (!newest) {
    throw new RangeError(
      problem({
        cannot: "resume",
        found: `no checkpoint in ${outputDir}`,
        expected: "one of an earlier run",
        fix: "set resume: false, or outputDir to the folder of the run",
      }),
    );
  }
  const { checkpoint, skipped } = newest;
  const warnings = skipped.map(({ folder, reason }) => `Skipped damaged checkpoint ${folder}: ${reason}`);
  const differences = differencesOf(identity, checkpoint.state.identity as Readonly<Record<string, string>>);
  const refused = differences.filter(({ name }) => !resumeAnyway.includes(name));
  if (refused.length > 0) throw anotherRun(checkpoint, refused);
  if (JSON.stringify(checkpoint.config) !== JSON.stringify(modelConfig)) throw anotherShape(checkpoint, modelConfig);
  for (const { name, was, is } of differences) {
    warnings.push(`Resumed with another ${name}, as asked: ${is} instead of ${was}.`);
  }
  const { logBytes } = checkpoint.state.progress as Progress;
  return { checkpoint, logBytes, warnings };
}

/**
 * Says when a run goes on with another engine than it began with.
 *
 * @returns the sentence to say, or none when the engine is the same
 */
export function engineWarning(checkpoint: CheckpointHead, { description }: Engine): string[] {
  const before = checkpoint.state.engine;
  if (before === description) return [];
  return [`The run began with ${before} and goes on with ${description}: its numbers will differ by rounding.`];
}

interface Difference {
  readonly name: string;
  readonly is: string;
  readonly was: string;
}

// A knob that an older Fledge did not know had no effect then, which is what its default means.
function differencesOf(is: Readonly<Record<string, string>>, was: Readonly<Record<string, string>>): Difference[] {
  return Object.entries(is).flatMap(([name, value]) => {
    const before = was[name] ?? JSON.stringify((trainingDefaults as unknown as Record<string, unknown>)[name]);
    return before === value ? [] : [{ name, is: value, was: before }];
  });
}

function anotherRun({ folder }: CheckpointHead, differences: readonly Difference[]): RangeError {
  const names = differences.map(({ name }) => JSON.stringify(name)).join(", ");
  return new RangeError(
    problem({
      cannot: `resume from ${folder}`,
      found: `a run with ${differences.map(({ name, is }) => `${name} ${is}`).join(", ")}`,
      expected: differences.map(({ name, was }) => `${name} ${was}`).join(", "),
      fix: `set these back, set resumeAnyway: [${names}] to go on all the same, or resume: false to start afresh`,
    }),
  );
}

function anotherShape({ folder, config }: CheckpointHead, modelConfig: TrainingRun["modelConfig"]): RangeError {
  return new RangeError(
    problem({
      cannot: `resume from ${folder}`,
      found: `a model of ${parameterCount(modelConfig).toLocaleString("en")} parameters and another shape`,
      expected: `the shape of its ${parameterCount(config).toLocaleString("en")} parameters`,
      fix: "set modelName back, or resume: false to start afresh",
    }),
  );
}
