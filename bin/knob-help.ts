/**
 * Help for every knob, made from the table of knobs. In: nothing. Out: text, at most 100 characters wide. The options that it
 * lists are read by src/config/sources.ts.
 */
import type { Knob } from "../src/config/knob.js";
import { knobGroups } from "../src/config/knobs.js";
import { optionOf } from "../src/config/sources.js";
import type { KnobName } from "../src/config.js";

const indent = 30;
const width = 100;

/** The knobs as options, group by group: option, meaning, default and reason. */
export function knobHelp(): string {
  const groups = Object.entries(knobGroups).map(([title, knobs]) => {
    const options = Object.entries<Knob>(knobs).map(([name, knob]) => optionHelp(name as KnobName, knob));
    return `${title}:\n${options.join("\n")}`;
  });
  return groups.join("\n\n");
}

function optionHelp(name: KnobName, knob: Knob): string {
  const { about, default: standard, reason, unit } = knob;
  const shown = Array.isArray(standard) ? standard.join(" ") || "none" : wording(standard);
  const counted = unit ? ` ${unit}` : "";
  const text = `${about}. Default ${typeof standard === "number" ? shown + counted : shown}: ${reason}.`.replaceAll(
    "`",
    "",
  );
  const option = standard === true ? optionOf(name).replace("--", "--no-") : optionOf(name);
  const left = `  ${option} ${valueWord(knob)}`.trimEnd();
  const lines = wrap(text, width - indent);
  const first = left.length < indent - 1 ? [left.padEnd(indent) + (lines.shift() ?? "")] : [left];
  return [...first, ...lines.map((line) => " ".repeat(indent) + line)].join("\n");
}

function wording(value: unknown): string {
  return typeof value === "number" && value > 0 && value < 1e-3 ? value.toExponential() : String(value);
}

function valueWord({ type }: Knob): string {
  if (type === "boolean") return "";
  if (type === "number") return "N";
  if (type.includes('"')) return type.replaceAll('"', "").replaceAll(" | ", "|").replace("boolean", "true|false");
  return type.endsWith("[]") ? "TEXT (again for more)" : "TEXT";
}

function wrap(text: string, room: number): string[] {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) as string;
    if (line !== "" && line.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}
