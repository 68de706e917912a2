/**
 * The model card. In: what was measured and used. Out: the Markdown of README.md with the YAML head that the Hugging Face
 * Hub reads. Every number comes from the caller; nothing is measured, rounded up or claimed here.
 * Form: https://huggingface.co/docs/hub/model-cards
 */
import { type Gpt2Config, parameterCount } from "../model/gpt2-config.js";

/** Losses in nats per token on the validation set. */
export interface CardLosses {
  readonly base: number;
  readonly tuned: number;
  /** Same losses per byte of text, in bits. */
  readonly baseBitsPerByte?: number;
  readonly tunedBitsPerByte?: number;
}

/** Everything a card says. */
export interface CardFacts {
  readonly title: string;
  /** The model that training started from; absent when it started from random weights. */
  readonly baseModel?: string;
  /** Where that came from, its licence and the SHA-256 of its weights. */
  readonly baseModelSource?: { readonly origin: string; readonly licence: string; readonly sha256: string };
  readonly config: Gpt2Config;
  readonly dataset: {
    readonly name: string;
    readonly origin: string;
    readonly licence: string;
    readonly sha256: string;
  };
  readonly losses: CardLosses;
  readonly steps: number;
  readonly seconds: number;
  /** Engine and machine in words: `TensorFlow 2.21 on CPU, 2 cores`. */
  readonly hardware: string;
  /** Knob → value, as configured. */
  readonly trainingArguments: Readonly<Record<string, unknown>>;
  readonly samples?: CardSamples;
}

/** What the model wrote. */
export interface CardSamples {
  /** How, in words: `temperature 0.8, seed 42`. */
  readonly drawn: string;
  /** Each prompt, and what the model added; an empty prompt begins a new document. */
  readonly texts: readonly { readonly prompt: string; readonly text: string }[];
}

/**
 * Writes a model card.
 *
 * @returns Markdown.
 * @example
 * modelCard({ title: "My model", ...facts }).startsWith("---\n"); // true
 */
export function modelCard(facts: CardFacts): string {
  return [head(facts), introduction(facts), losses(facts.losses), training(facts), samples(facts), use()]
    .filter((section) => section !== "")
    .join("\n\n")
    .concat("\n");
}

// JSON strings are YAML strings.
function head({ dataset }: CardFacts): string {
  return [
    "---",
    "library_name: transformers",
    "pipeline_tag: text-generation",
    `tags: ["gpt2", "fledge", ${JSON.stringify(dataset.name)}]`,
    "---",
  ].join("\n");
}

function introduction({ title, baseModel, config, dataset }: CardFacts): string {
  const start = baseModel === undefined ? "Trained from random weights" : `\`${baseModel}\`, fine-tuned`;
  const sizes = [
    `${number(parameterCount(config))} parameters`,
    `${config.layers} layers`,
    `${config.heads} heads`,
    `width ${config.width}`,
    `${number(config.positions)} positions`,
    `${number(config.vocabularySize)} tokens`,
  ];
  return `# ${title}\n\n${start} on \`${dataset.name}\` with Fledge. A GPT-2: ${sizes.join(", ")}.`;
}

function losses({ base, tuned, baseBitsPerByte, tunedBitsPerByte }: CardLosses): string {
  const rows: [string, number, number][] = [
    ["Validation loss (nats per token)", base, tuned],
    ["Perplexity", Math.exp(base), Math.exp(tuned)],
  ];
  if (baseBitsPerByte !== undefined && tunedBitsPerByte !== undefined) {
    rows.push(["Bits per byte", baseBitsPerByte, tunedBitsPerByte]);
  }
  const lines = rows.map(([name, before, after]) => `| ${name} | ${number(before)} | ${number(after)} |`);
  return ["## Measured", "", "| | before training | this model |", "|---|---|---|", ...lines].join("\n");
}

function training({ dataset, baseModelSource: base, steps, seconds, hardware, trainingArguments }: CardFacts): string {
  const knobs = Object.entries(trainingArguments).map(
    ([name, value]) => `| ${name} | ${cell(JSON.stringify(value))} |`,
  );
  return [
    "## Made",
    "",
    ...(base ? [`* Base model: from ${base.origin}, licence: ${base.licence}, sha256 \`${base.sha256}\``] : []),
    `* Data: ${dataset.name}, from ${dataset.origin}, licence: ${dataset.licence}, sha256 \`${dataset.sha256}\``,
    `* ${number(steps)} optimiser steps in ${number(seconds / 60)} minutes`,
    `* ${hardware}`,
    ...(knobs.length > 0 ? ["", "| knob | value |", "|---|---|", ...knobs] : []),
  ].join("\n");
}

function samples({ samples }: CardFacts): string {
  if (samples === undefined) return "";
  const shown = samples.texts.map(({ prompt, text }) => {
    return `${prompt === "" ? "A new document:" : `After ${code(prompt)}:`}\n\n${block(text)}`;
  });
  return ["## Samples", `Drawn with ${samples.drawn}; not chosen among several.`, ...shown].join("\n\n");
}

function use(): string {
  const python = [
    "from transformers import pipeline",
    "",
    'generate = pipeline("text-generation", model="PATH_OF_THIS_FOLDER")',
    'print(generate("Once upon a time", max_new_tokens=50)[0]["generated_text"])',
  ];
  const javascript = [
    "// first: fledge export PATH_OF_THIS_FOLDER --to onnx",
    'import { pipeline } from "@huggingface/transformers";',
    "",
    'const generate = await pipeline("text-generation", "PATH_OF_THIS_FOLDER");',
    'console.log(await generate("Once upon a time", { max_new_tokens: 50 }));',
  ];
  return ["## Use", "", "```python", ...python, "```", "", "```js", ...javascript, "```"].join("\n");
}

function number(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return value.toLocaleString("en", { maximumSignificantDigits: 4 });
}

function cell(text: string | undefined): string {
  return (text ?? "").replaceAll("|", "\\|").replaceAll("\n", " ");
}

function code(text: string): string {
  const fence = "`".repeat(longestRun(text) + 1);
  return `${fence} ${text.replaceAll("\n", " ")} ${fence}`;
}

function block(text: string): string {
  const fence = "`".repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}text\n${text}\n${fence}`;
}

// A fence must be longer than any run of back-ticks inside it.
function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
}
