import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { packDocuments } from "../../src/data/pack.js";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { packageRoot } from "../../src/paths.js";
import { bundleOf } from "../../src/view/display.js";
import { blockView, tokensView } from "../../src/view/tokens.js";
import { readMarkup } from "./markup.js";

const tokenizer = await loadTokenizer(join(packageRoot(), "models", "fledge-base"));

test("tokensView() draws each token once, escaped, with its tip, and says in words what the boxes mean", () => {
  const boxes = [
    { text: " <b>", share: 0, tip: "none" },
    { text: "line\n", share: 0.5, tip: 'half "so"', note: " 0.5" },
  ];
  const bundle = bundleOf(tokensView(boxes, { caption: "Two tokens.", full: "likely", empty: "unlikely" }));
  const markup = String(bundle["text/html"]);
  readMarkup(markup);
  assert.match(markup, /title="none" style="border: 1px dashed #8c959f">·&lt;b&gt;<\/span>/);
  assert.match(markup, /title="half &quot;so&quot;"/);
  assert.equal(bundle["text/plain"], "Two tokens.\n[·<b>]|line↵ 0.5\n(likely; in brackets: unlikely)");
});

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
  assert.ok(row.includes("⟨end·of·text⟩"));
  const apart = packDocuments(documents, tokenizer, 8, { separateDocuments: true });
  assert.match(String(bundleOf(blockView(apart, 0, tokenizer))["text/plain"]), /a token does not look at/);
});
