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
  assert.match(html, /<span title="␣the: 62 %, the likeliest"> the<\/span>/);
  assert.match(html, /&lt;b&gt;⏎<\/ins><br>/);
  assert.doesNotMatch(html, /<b>|(?<!-)color: #/);
});

test("tokenView() tells its classes apart where styles are taken away, too", () => {
  const html = String(tokenView(tokens)[jupyterDisplay]()["text/html"]).replace(/ style="[^"]*"/g, "");
  assert.match(html, /<strong title="We[^>]*>We<\/strong><span[^>]*> the<\/span><ins[^>]*>&lt;b/);
  for (const [tag, name] of Object.entries({ span: "expected", em: "likely", ins: "unlikely", strong: "surprising" }))
    assert.match(html, new RegExp(`<${tag}>${name} [^<]*</${tag}>`));
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

test("tokenView() shows a character of several tokens once, with the numbers of each", () => {
  const parts = [
    { text: " ", probability: 0.5, rank: 1 },
    { text: "", probability: 0.25, rank: 2 },
    { text: "", probability: 0.5, rank: 1 },
    { text: "世", probability: 0.5, rank: 1 },
  ];
  const bundle = tokenView(parts)[jupyterDisplay]();
  const html = String(bundle["text/html"]);
  assert.match(
    html,
    /title="世: 25 %, place 2; then 50 %, the likeliest; then 50 %, the likeliest"[^>]*2px solid[^>]*>世</,
  );
  assert.equal(html.match(/title=/g)?.length, 2);
  assert.match(String(bundle["text/plain"]), /^… {9}25 % {2}## place 2$/m);
  assert.equal(String(tokenView([])[jupyterDisplay]()["text/html"]).includes("NaN"), false);
});
