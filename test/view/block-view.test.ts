import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { packDocuments } from "../../src/data/pack.js";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { packageRoot } from "../../src/paths.js";
import { blockView } from "../../src/view/block-view.js";
import { bundleOf } from "../../src/view/display.js";
import { readMarkup } from "./markup.js";

const tokenizer = await loadTokenizer(join(packageRoot(), "models", "fledge-base"));

test("blockView() shows that all tokens of a block but the first carry loss, the ends of documents too", () => {
  const documents = [
    { id: "a", text: "Fellow citizens" },
    { id: "b", text: "The Union is strong." },
  ];
  const blocks = packDocuments(documents, tokenizer, 8);
  const text = String(bundleOf(blockView(blocks, 0, tokenizer))["text/plain"]);
  const [caption = "", row = ""] = text.split("\n");
  assert.match(caption, /^Block 1 of 1: 8 of 9 tokens carry loss, 1 of them end a document; a token may look at/);
  const tokens = row.split("|");
  assert.equal(tokens.length, 9);
  assert.equal(tokens.filter((token) => token.startsWith("[")).length, 1);
  assert.ok(row.includes("⟨end of text⟩"));
  const apart = packDocuments(documents, tokenizer, 8, { separateDocuments: true });
  assert.match(String(bundleOf(blockView(apart, 0, tokenizer))["text/plain"]), /a token does not look at/);
  const markup = String(bundleOf(blockView(blocks, 0, tokenizer))["text/html"]);
  assert.match(readMarkup(markup).text, /carries loss and ends a document/);
  assert.match(
    markup,
    /<em title="token \d+: context only, the target of the block before" style="[^"]*border: 1px dashed/,
  );
  assert.match(markup, /<strong title="token \d+: carries loss and ends a document"/);
});
