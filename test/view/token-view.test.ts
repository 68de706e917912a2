import assert from "node:assert/strict";
import { test } from "node:test";
import { jupyterDisplay } from "../../src/view/display.js";
import { tokenView } from "../../src/view/token-view.js";

const tokens = [
  { text: "We", probability: 0.004, rank: 31 },
  { text: " the", probability: 0.62, rank: 1 },
  { text: "<b>\n", probability: 0.05, rank: 1204 },
];

test("tokenView() gives each token its number in words, a shade, and a line that needs no colour", () => {
  const html = String(tokenView(tokens)[jupyterDisplay]()["text/html"]);
  assert.match(html, /title="We: 0\.40 %, place 31"[^>]*border-bottom: 3px double/);
  assert.match(html, /title="␣the: 62 %, the likeliest"[^>]*border-bottom: 0 solid/);
  assert.match(html, /&lt;b&gt;⏎<\/span><br>/);
  assert.doesNotMatch(html, /<b>|(?<!-)color: #/);
});

test("tokenView() lists the same as text", () => {
  const text = String(tokenView(tokens)[jupyterDisplay]()["text/plain"]);
  assert.deepEqual(text.split("\n"), [
    "token  chance   surprise in bits (#), place",
    "We      0.40 %  ######## place 31",
    "␣the      62 %  # the likeliest",
    "<b>⏎    5.00 %  #### place 1,204",
  ]);
});
