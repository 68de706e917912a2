/**
 * Which checkpoint a run goes on from, and whether it may. In: the hashes and knobs that make up a run's identity. Out: the
 * newest whole checkpoint of the same run, or a refusal that names what differs. It changes nothing on disk.
 */
import type { TrainingConfig } from "../config.js";
import { problem } from "../message.js";
import { type LoadedCheckpoint, newestCheckpoint } from "./checkpoint.js";
import type { TrainEvent } from "./events.js";

// Knobs that may change when a run goes on: they decide where things lie and when they are said, not what is computed.
const freeKnobs: readonly (keyof TrainingConfig)[] = [
  "outputDir",
  "finalModelDir",
  "logEverySteps",
  "maxMinutes",
  "keepBest",
  "resume",
];

/**
 * What makes a run itself: every knob that decides what is computed, and the hashes of what it is computed from.
 *
 * @param hashes sha256 of model, tokenizer and split
 */
export function identityOf(
  config: TrainingConfig,
  hashes: Readonly<Record<"model" | "tokenizer" | "split", string>>,
): Record<string, string> {
  const knobs = Object.entries(config)
    .filter(([name]) => !freeKnobs.includes(name as keyof TrainingConfig))
    .map(([name, value]) => [name, JSON.stringify(value)]);
  return { ...Object.fromEntries(knobs), ...hashes };
}

/**
 * Finds the checkpoint that a run goes on from.
 *
 * @param warnings takes one event for each damaged checkpoint that was passed over
 * @throws RangeError when there is none, or when it belongs to a run of another identity
 */
export async function checkpointToResume(
  { outputDir }: TrainingConfig,
  identity: Readonly<Record<string, string>>,
  warnings: TrainEvent[],
): Promise<LoadedCheckpoint> {
  const newest = await newestCheckpoint(outputDir);
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
  for (const { folder, reason } of newest.skipped) {
    warnings.push({ type: "warning", message: `Skipped damaged checkpoint ${folder}: ${reason}` });
  }
  const saved = newest.checkpoint.state.identity as Record<string, string>;
  const different = Object.keys(identity).filter((name) => saved[name] !== identity[name]);
  if (different.length === 0) return newest.checkpoint;
  const list = (values: Readonly<Record<string, string>>) =>
    different.map((name) => `${name} ${values[name]}`).join(", ");
  throw new RangeError(
    problem({
      cannot: `resume from ${newest.checkpoint.folder}`,
      found: `a run with ${list(identity)}`,
      expected: list(saved),
      fix: "set these back, or resume: false to start afresh",
    }),
  );
}
