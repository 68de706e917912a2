/**
 * Tokens to look at, one box each: how strongly a box is filled says a share between 0 and 1, a word in its tip says it again.
 * In: pieces of text with a share. Out: a display in HTML and in plain text. `blockView` draws with it what a packed block is
 * trained on. It knows no model and computes no share.
 */
import type { PackedBlocks } from "../data/pack.js";
import type { Tokenizer } from "../data/tokenizer.js";
import { type Displayable, jupyterDisplay } from "./display.js";
import { escapeMarkup } from "./escape.js";
import { formatCount } from "./format.js";

/** One token as it is drawn. */
export interface TokenBox {
  /** What the token stands for; white space is made visible. */
  readonly text: string;
  /** How strongly the box is filled, 0 (not at all, and dashed) … 1. */
  readonly share: number;
  /** What the tip says, one phrase. */
  readonly tip: string;
  /** Written behind the token in plain text, where a share of 0 or 1 would not do. */
  readonly note?: string;
}

/** What stands above and below the boxes. */
export interface TokensViewOptions {
  readonly caption: string;
  /** What a full box means: `carries loss`. */
  readonly full: string;
  /** What an empty, dashed box means: `context only`. */
  readonly empty: string;
}

/**
 * Draws tokens as boxes in the order of the text.
 *
 * @returns a displayable with text/html and text/plain; in plain text the empty ones stand in brackets
 * @example
 * display(tokensView([{ text: " the", share: 0.9, tip: "90 %" }], { caption: "…", full: "likely", empty: "unlikely" }));
 */
export function tokensView(boxes: readonly TokenBox[], options: TokensViewOptions): Displayable {
  return {
    [jupyterDisplay]: () => ({
      "text/html": html(boxes, options),
      "text/plain": plain(boxes, options),
    }),
  };
}

/**
 * Draws which tokens of a packed block carry loss: every one but the first, which has nothing before it in this block. The
 * ends of documents are learned like any token.
 *
 * @param index which block, 0 … count − 1
 * @throws RangeError as `blocks.block(index)` does
 * @example
 * display(blockView(packDocuments(documents, tokenizer, 64), 0, tokenizer));
 */
export function blockView(blocks: PackedBlocks, index: number, tokenizer: Tokenizer): Displayable {
  const ids = [...blocks.block(index)]; // [T+1]
  const boxes = ids.map((id, place): TokenBox => {
    const isEnd = id === tokenizer.endOfTextId;
    const text = isEnd ? "⟨end of text⟩" : tokenizer.decode([id]);
    if (place === 0) return { text, share: 0, tip: `token ${id}: context only, it is the target of the block before` };
    return { text, share: isEnd ? 1 : 0.5, tip: `token ${id}: carries loss${isEnd ? ", ends a document" : ""}` };
  });
  const ends = ids.slice(1).filter((id) => id === tokenizer.endOfTextId).length;
  const apart = blocks.documentEnd === undefined ? "may look" : "does not look";
  return tokensView(boxes, {
    caption: `Block ${index + 1} of ${formatCount(blocks.count)}: ${formatCount(blocks.blockSize)} of ${formatCount(ids.length)} tokens carry loss, ${formatCount(ends)} of them end a document; a token ${apart} at the documents before its own.`,
    full: "carries loss (the ends of documents darkest)",
    empty: "context only",
  });
}

// Grey-blue of varying strength behind the text's own colour, so that it reads on light and on dark pages.
function html(boxes: readonly TokenBox[], { caption, full, empty }: TokensViewOptions): string {
  const spans = boxes.map((box) => span(box) + (box.text.includes("\n") ? "<br/>" : ""));
  // Zero-width spaces, where a line may break.
  const row = spans.join("\u200b");
  const key = `${span({ text: full, share: 1, tip: full })} ${span({ text: empty, share: 0, tip: empty })}`;
  return `<div><p>${escapeMarkup(caption)}</p><p style="line-height: 1.9">${row}</p><p>${key}</p></div>`;
}

function span({ text, share, tip }: TokenBox): string {
  const strength = (0.08 + 0.47 * Math.min(1, Math.max(0, share))).toFixed(2);
  const look =
    share <= 0
      ? "border: 1px dashed #8c959f"
      : `border: 1px solid rgba(0, 114, 178, ${strength}); background-color: rgba(0, 114, 178, ${strength})`;
  return `<span title="${escapeMarkup(tip)}" style="${look}">${escapeMarkup(visible(text))}</span>`;
}

function plain(boxes: readonly TokenBox[], { caption, full, empty }: TokensViewOptions): string {
  const tokens = boxes.map(({ text, share, note }) => {
    const shown = note ? `${visible(text)}${note}` : visible(text);
    return share <= 0 ? `[${shown}]` : shown;
  });
  return `${caption}\n${tokens.join("|")}\n(${full}; in brackets: ${empty})`;
}

function visible(text: string): string {
  return text.replaceAll(" ", "·").replaceAll("\n", "↵").replaceAll("\t", "→");
}
