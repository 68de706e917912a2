/**
 * How likely a model found each token of a text, to look at. In: tokens with probabilities. Out: a display: each token on a shade
 * of its surprise, underlined the thicker the more surprising, its number in its title; and the same as a plain list. Shades are
 * translucent, so that the text keeps the page's own ink, light or dark. It measures nothing.
 */
import { type Displayable, jupyterDisplay } from "./display.js";
import { escapeMarkup } from "./escape.js";

/** A token that was measured; `TextModel.tokenProbabilities()` gives them. */
export interface ShownToken {
  /** What it adds to the text; empty where a later token completes the character. */
  readonly text: string;
  /** 0 … 1. */
  readonly probability: number;
  /** 1 for the likeliest of all tokens. */
  readonly rank: number;
}

// Surprise in bits up to which a class reaches, its name, and how it is drawn. The tags are for pages that take styles away, as
// GitHub does: there the classes are upright, italic, underlined and bold; the styles take that back.
const CLASSES = [
  { bits: 1, name: "expected (above 50 %)", tag: "span", look: "" },
  {
    ...{ bits: 3.33, name: "likely (10 to 50 %)", tag: "em" },
    look: "font-style: normal; background: rgba(86, 180, 233, 0.22); border-bottom: 1px dotted",
  },
  {
    ...{ bits: 6.65, name: "unlikely (1 to 10 %)", tag: "ins" },
    look: "text-decoration: none; background: rgba(230, 159, 0, 0.32); border-bottom: 2px solid",
  },
  {
    ...{ bits: Infinity, name: "surprising (below 1 %)", tag: "strong" },
    look: "font-weight: inherit; background: rgba(213, 94, 0, 0.45); border-bottom: 3px double",
  },
] as const;

/**
 * Shows a text token by token with its probabilities.
 *
 * @param tokens in order
 * @returns a displayable with text/html and text/plain
 * @example
 * display(tokenView(await model.tokenProbabilities("We the people")));
 */
export function tokenView(tokens: readonly ShownToken[]): Displayable {
  return { [jupyterDisplay]: () => ({ "text/html": html(tokens), "text/plain": plain(tokens) }) };
}

function classOf(probability: number): (typeof CLASSES)[number] {
  return CLASSES.find(({ bits }) => -Math.log2(probability) <= bits) ?? CLASSES[3];
}

function html(tokens: readonly ShownToken[]): string {
  const shown = ({ tag, look }: (typeof CLASSES)[number], text: string, title = "") =>
    `<${tag}${title}${look === "" ? "" : ` style="${look}"`}>${text}</${tag}>`;
  const words = charactersOf(tokens).map((parts) => {
    const text = parts.map((part) => part.text).join("");
    const probability = parts.reduce((product, part) => product * part.probability, 1);
    const numbers = parts.map((part) => `${percent(part.probability)}, ${ordinal(part.rank)}`).join("; then ");
    const title = `${visible(text)}: ${numbers}`;
    const breaks = "<br>".repeat(text.split("\n").length - 1);
    const token = escapeMarkup(text.replaceAll("\n", "⏎"));
    return shown(classOf(probability), token, ` title="${escapeMarkup(title)}"`) + breaks;
  });
  const legend = CLASSES.map((one) => shown(one, one.name)).join(" · ");
  return [
    `<div style="white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.9">${words.join("")}</div>`,
    `<div style="font-size: 85%; margin-top: 6px">${legend} · the number is in each token's tooltip</div>`,
  ].join("\n");
}

// Tokens that make up a character together are shown as one.
function charactersOf(tokens: readonly ShownToken[]): ShownToken[][] {
  const groups: ShownToken[][] = [];
  let isWhole = true;
  for (const token of tokens) {
    if (isWhole) groups.push([]);
    groups.at(-1)?.push(token);
    isWhole = token.text !== "";
  }
  return groups;
}

function plain(tokens: readonly ShownToken[]): string {
  const width = Math.max(5, ...tokens.map(({ text }) => [...visible(text)].length));
  const lines = tokens.map(({ text, probability, rank }) => {
    const word = visible(text);
    const gap = " ".repeat(width - [...word].length);
    return `${word}${gap}  ${percent(probability).padStart(7)}  ${"#".repeat(Math.min(20, Math.round(-Math.log2(probability))))} ${ordinal(rank)}`;
  });
  return [`${"token".padEnd(width)}  chance   surprise in bits (#), place`, ...lines].join("\n");
}

/** A token with its line ends, tabs and outer spaces made visible; "…" for part of a character. */
export function visible(text: string): string {
  if (text === "") return "…";
  return text.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replace(/^ | $/g, "␣");
}

function percent(probability: number): string {
  const value = 100 * probability;
  if (value < 0.01) return "<0.01 %";
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(2)} %`;
}

function ordinal(rank: number): string {
  return rank === 1 ? "the likeliest" : `place ${rank.toLocaleString("en-US")}`;
}
