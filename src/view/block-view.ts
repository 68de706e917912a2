/**
 * What a packed block is trained on, to look at: one box a token, filled where it carries loss, dashed where it is context only.
 * In: packed blocks and their tokenizer. Out: a display in HTML and in plain text. How likely each token was, is token-view.ts.
 */
import type { PackedBlocks } from "../data/pack.js";
import type { Tokenizer } from "../data/tokenizer.js";
import { type Displayable, jupyterDisplay } from "./display.js";
import { escapeMarkup } from "./escape.js";
import { formatCount } from "./format.js";
import { visible } from "./token-view.js";

interface Box {
  readonly text: string;
  readonly kind: keyof typeof kinds;
  readonly tip: string;
}

// Grey-blue behind the text's own colour, so that it reads on light and on dark pages. The tags are for pages that take styles away.
const kinds = {
  context: { tag: "em", look: "font-style: normal; border: 1px dashed #8c959f", meaning: "context only" },
  loss: {
    tag: "span",
    look: "border: 1px solid rgba(0, 114, 178, 0.31); background-color: rgba(0, 114, 178, 0.31)",
    meaning: "carries loss",
  },
  end: {
    tag: "strong",
    look: "font-weight: inherit; border: 1px solid rgba(0, 114, 178, 0.55); background-color: rgba(0, 114, 178, 0.55)",
    meaning: "carries loss and ends a document",
  },
} as const;

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
  // A character of several tokens stands in the last one's box.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const boxes = ids.map((id, place): Box => {
    const isEnd = id === tokenizer.endOfTextId;
    const text = isEnd ? "⟨end of text⟩" : decoder.decode(tokenizer.bytesOf(id), { stream: true });
    if (place === 0) return { text, kind: "context", tip: `token ${id}: context only, the target of the block before` };
    const kind = isEnd ? "end" : "loss";
    return { text, kind, tip: `token ${id}: ${kinds[kind].meaning}` };
  });
  const ends = ids.slice(1).filter((id) => id === tokenizer.endOfTextId).length;
  const apart = blocks.documentEnd === undefined ? "may look" : "does not look";
  const caption = `Block ${index + 1} of ${formatCount(blocks.count)}: ${formatCount(blocks.blockSize)} of ${formatCount(ids.length)} tokens carry loss, ${formatCount(ends)} of them end a document; a token ${apart} at the documents before its own.`;
  return {
    [jupyterDisplay]: () => ({ "text/html": html(boxes, caption), "text/plain": plain(boxes, caption) }),
  };
}

function html(boxes: readonly Box[], caption: string): string {
  // Zero-width spaces, where a line may break.
  const row = boxes.map((box) => span(box) + (box.text.includes("\n") ? "<br/>" : "")).join("\u200b");
  const key = Object.entries(kinds).map(([kind, { meaning }]) => {
    return span({ text: meaning, kind: kind as Box["kind"], tip: meaning });
  });
  return `<div><p>${escapeMarkup(caption)}</p><p style="line-height: 1.9">${row}</p><p>${key.join(" ")}</p></div>`;
}

function span({ text, kind, tip }: Box): string {
  const { tag, look } = kinds[kind];
  return `<${tag} title="${escapeMarkup(tip)}" style="${look}">${escapeMarkup(visible(text))}</${tag}>`;
}

function plain(boxes: readonly Box[], caption: string): string {
  const tokens = boxes.map(({ text, kind }) => (kind === "context" ? `[${visible(text)}]` : visible(text)));
  return `${caption}\n${tokens.join("|")}\n(carries loss; in brackets: context only)`;
}
