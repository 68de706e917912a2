/**
 * Writes src/config/training-config.ts, the type of a configuration, from the table of knobs, so that editors and cells show
 * what every knob does. Run after a change of the table: `npm run build && node dist/test/config/make-training-config.js`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Knob } from "../../src/config/knob.js";
import { knobGroups } from "../../src/config/knobs.js";
import { packageRoot } from "../../src/paths.js";

/** Where the type lies. */
export const typeFile = join(packageRoot(), "src/config/training-config.ts");

/** The text of the file. */
export function trainingConfigType(): string {
  const groups = Object.entries(knobGroups).map(([title, knobs]) => {
    const fields = Object.entries<Knob>(knobs).map(([name, knob]) => field(name, knob));
    return `  // ${title}.\n${fields.join("\n")}`;
  });
  return `/**
 * The type of a configuration: what editors and cells show of each knob. Made from src/config/knobs.ts by
 * test/config/make-training-config.ts: change the table there, not this file. No values and no checks.
 */

/** A training run. Every knob has a default; set the ones you want to change. */
export interface TrainingConfig {
${groups.join("\n\n")}
}
`;
}

function field(name: string, { about, default: value, reason, unit, range, type }: Knob): string {
  const counts = unit === undefined ? "" : `, in ${unit}`;
  // Of a word or a switch, the type already says what it may be.
  const sized = type === "number" || type.endsWith("[]");
  const bounds = sized ? `${range.charAt(0).toUpperCase()}${range.slice(1)}${counts}. ` : "";
  const sentences = `${about}. ${bounds}Default ${Array.isArray(value) ? `\`${JSON.stringify(value)}\`` : JSON.stringify(value)}: ${reason}.`;
  const lines = wrap(sentences, 112);
  const doc =
    lines.length === 1 ? `  /** ${lines[0]} */` : `  /**\n${lines.map((line) => `   * ${line}`).join("\n")}\n   */`;
  return `${doc}\n  readonly ${name}: ${type};`;
}

function wrap(sentences: string, width: number): string[] {
  const lines = [""];
  for (const word of sentences.split(" ")) {
    const line = lines.at(-1) as string;
    if (line !== "" && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(typeFile, trainingConfigType());
}
