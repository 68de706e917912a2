/**
 * How a tokenizer.json of byte-level BPE kind says that text is cut into words. In: its `pre_tokenizer` and `normalizer`. Out:
 * patterns to cut by, in order, or the reason why it is of another kind. It cuts nothing (tokenizer.ts does).
 * Source: Hugging Face `tokenizers`, pre-tokenizers Split, Digits and ByteLevel; Oniguruma's syntax, in which patterns stand.
 */
import { wordPattern } from "./byte-level.js";

/** What is done to text before words are merged. */
export interface PreTokenizer {
  /** Unicode normalisation first; absent in GPT-2. */
  readonly normalize?: "NFC";
  /** Each cuts every piece that the one before it left: matches and what lies between them become pieces. */
  readonly cutters: readonly RegExp[];
}

/** As much of a pre-tokenizer's JSON as is read. */
export interface PreTokenizerJson {
  readonly type?: string;
  readonly add_prefix_space?: boolean;
  readonly use_regex?: boolean;
  readonly individual_digits?: boolean;
  readonly behavior?: string;
  readonly invert?: boolean;
  readonly pattern?: { readonly Regex?: string; readonly String?: string };
  readonly pretokenizers?: readonly PreTokenizerJson[];
}

/**
 * Reads a pre-tokenizer and a normalizer.
 *
 * @returns what to do, or a phrase that says what is not of byte-level BPE kind
 */
export function readPreTokenizer(
  pre: PreTokenizerJson | null | undefined,
  normalizer: { readonly type?: string } | null | undefined,
): PreTokenizer | string {
  if (normalizer && normalizer.type !== "NFC") return `normalizer ${normalizer.type ?? "of no type"}`;
  const steps = pre?.type === "Sequence" ? (pre.pretokenizers ?? []) : pre ? [pre] : [];
  if (steps.at(-1)?.type !== "ByteLevel") return `pre-tokenizer ${pre?.type ?? "none"}`;
  const cutters: RegExp[] = [];
  for (const step of steps) {
    const cutter = readStep(step);
    if (typeof cutter === "string") return cutter;
    if (cutter) cutters.push(cutter);
  }
  if (cutters.length === 0) return "pre-tokenizer ByteLevel with use_regex false and nothing else to cut words";
  return { ...(normalizer && { normalize: "NFC" as const }), cutters };
}

function readStep(step: PreTokenizerJson): RegExp | string | undefined {
  if (step.type === "ByteLevel") {
    if (step.add_prefix_space) return "add_prefix_space true";
    return step.use_regex === false ? undefined : wordPattern;
  }
  if (step.type === "Digits") return step.individual_digits ? /\p{N}/gu : /\p{N}+/gu;
  if (step.type !== "Split") return `pre-tokenizer ${step.type}`;
  if (step.invert || step.behavior !== "Isolated") return `pre-tokenizer Split with behavior ${step.behavior}`;
  const { Regex: regex, String: literal } = step.pattern ?? {};
  if (literal !== undefined) return new RegExp(literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "gu");
  try {
    return new RegExp(toJavaScript(regex ?? ""), "gu");
  } catch {
    return `a pattern that JavaScript cannot read: ${regex}`;
  }
}

// `(?i:…)` holds letters only in the patterns that are published; `\s` is Unicode's White_Space, as in Rust.
function toJavaScript(pattern: string): string {
  if (/[?*+]\+|\{\d+(,\d*)?\}\+/.test(pattern)) throw new SyntaxError("possessive quantifier");
  return pattern
    .replace(/\(\?i:([^()]*)\)/g, (_, inside: string) => `(?:${inside.replace(/[a-z]/gi, eitherCase)})`)
    .replaceAll("\\s", "\\p{White_Space}")
    .replaceAll("\\S", "\\P{White_Space}");
}

function eitherCase(letter: string): string {
  // U+017F, the long s, folds to s.
  const more = letter.toLowerCase() === "s" ? "\u017f" : "";
  return `[${letter.toLowerCase()}${letter.toUpperCase()}${more}]`;
}
