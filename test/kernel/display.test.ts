import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { from, table } from "arquero";
import { displayBundle, mimeBundle } from "../../kernel/display.js";

const text = async (value: unknown) => (await mimeBundle(value))?.["text/plain"];

test("mimeBundle() shows tables as HTML and text, with types and row count", async () => {
  const people = table({ name: ["Ada <b>", "Bo & Co"], age: [36, 7], born: [new Date(0), null] });
  assert.deepEqual(await mimeBundle(people), {
    "text/plain": [
      "name        age  born",
      "string   number  date",
      "Ada <b>      36  1970-01-01T00:00:00.000Z",
      "Bo & Co       7",
      "2 rows × 3 columns",
    ].join("\n"),
    "text/html": [
      '<table><thead><tr><th style="text-align:left">name<br><small>string</small></th><th style="text-align:right">age<br><small>number</small></th><th style="text-align:left">born<br><small>date</small></th></tr></thead>',
      '<tbody><tr><td style="text-align:left">Ada &lt;b&gt;</td><td style="text-align:right">36</td><td style="text-align:left">1970-01-01T00:00:00.000Z</td></tr>',
      '<tr><td style="text-align:left">Bo &amp; Co</td><td style="text-align:right">7</td><td style="text-align:left"></td></tr></tbody></table>',
      "<p>2 rows × 3 columns</p>",
    ].join("\n"),
  });
});

test("mimeBundle() shows 50 rows of a long table and says how many there are", async () => {
  const long = from(Array.from({ length: 1234 }, (_, n) => ({ n })));
  const bundle = await mimeBundle(long);
  assert.match(String(bundle?.["text/plain"]), /\n {4}49\n1,234 rows × 1 column, the first 50 shown$/);
  assert.equal(String(bundle?.["text/html"]).match(/<tr>/g)?.length, 51);
});

test("mimeBundle() shows tensors by shape, dtype and first values, disposed ones too", async () => {
  const tensor = tf.tensor([[1, 2]]);
  assert.equal(await text(tensor), "float32 tensor of shape [1, 2]\nTensor\n     [[1, 2],]");
  tensor.dispose();
  assert.equal(await text(tensor), "float32 tensor of shape [1, 2], disposed");
  assert.match(String(await text(tf.zeros([1000, 1000]))), /^float32 tensor of shape \[1000, 1000\]\n[\s\S]{1,2000}$/);
});

test("mimeBundle() shows bytes of PNG and JPEG images as images, other bytes and SVG text as they are", async () => {
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAAC0lEQVR4nGNgwAUAABUAAZ0pBz8AAAAASUVORK5CYII=",
    "base64",
  );
  assert.deepEqual(await mimeBundle(new Uint8Array(png)), {
    "text/plain": `PNG image, 2 × 3 pixels, ${png.length} bytes`,
    "image/png": png.toString("base64"),
  });
  assert.deepEqual(await mimeBundle(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)), {
    "text/plain": "JPEG image, 4 bytes",
    "image/jpeg": "/9j/4A==",
  });
  assert.deepEqual(await mimeBundle(Uint8Array.of(1, 2)), { "text/plain": "Uint8Array(2) [ 1, 2 ]" });
  assert.deepEqual(await mimeBundle("<svg/>"), { "text/plain": "'<svg/>'" });
});

test("mimeBundle() shows canvases as images", async () => {
  const canvas = { width: 4, height: 5, toDataURL: (type: string) => `data:${type};base64,AAAA` };
  assert.deepEqual(await mimeBundle(canvas), { "text/plain": "canvas, 4 × 5 pixels", "image/png": "AAAA" });
});

test("mimeBundle() shows data frames as Deno does, with columns of the schema and the height as row count", async () => {
  const records = Array.from({ length: 60 }, (_, n) => ({ n, name: `<${n}>`, list: [n], none: null }));
  // What nodejs-polars' DataFrame has.
  const frame = (rows: typeof records) => ({
    schema: { n: "Int64", name: "String", list: "List", none: "Null" },
    height: rows.length,
    head: (count: number) => frame(rows.slice(0, count)),
    toRecords: () => rows,
  });
  const bundle = await mimeBundle(frame(records));
  const lines = String(bundle?.["text/plain"]).split("\n");
  assert.match(lines[0] ?? "", /^ {5}n {2}name {4}list {4}none$/);
  assert.match(lines[1] ?? "", /^number {2}string {2}array {3}empty$/);
  assert.match(lines[51] ?? "", /^ {4}49 {2}<49> {4}\[ 49 \]$/);
  assert.equal(lines[52], "60 rows × 4 columns, the first 50 shown");
  assert.match(String(bundle?.["text/html"]), /<td style="text-align:left">&lt;49&gt;<\/td>/);
  const { height, ...unmeasured } = frame(records.slice(0, 1));
  assert.equal(height, 1);
  assert.match(String(await text(unmeasured)), /\n1 row × 4 columns$/);
});

test("mimeBundle() shows what has outerHTML as HTML, an SVG element as SVG", async () => {
  const html = "<p class='a'>Hi &amp; <b>bye</b></p>";
  assert.deepEqual(await mimeBundle({ outerHTML: html }), { "text/plain": html, "text/html": html });
  for (const svg of ["<svg></svg>", '<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>']) {
    assert.deepEqual(await mimeBundle({ outerHTML: svg }), { "text/plain": svg, "image/svg+xml": svg });
  }
  assert.ok("text/html" in ((await mimeBundle({ outerHTML: "<svgx></svgx>" })) ?? {}));
  assert.match(String(await text({ outerHTML: 1 })), /outerHTML: 1/);
});

test("mimeBundle() shows what has toSpec() as a Vega chart of its schema's language and version", async () => {
  for (const [schema, mime, words] of [
    ["https://vega.github.io/schema/vega-lite/v6.json", "application/vnd.vegalite.v6+json", "vega-lite chart"],
    ["https://vega.github.io/schema/vega/v5.json", "application/vnd.vega.v5+json", "vega chart"],
    [undefined, "application/vnd.vegalite.v5+json", "vega-lite chart"],
  ] as const) {
    const spec = { ...(schema ? { $schema: schema } : {}), mark: "bar" };
    assert.deepEqual(await mimeBundle({ toSpec: () => spec }), { "text/plain": words, [mime]: spec });
  }
  assert.match(String(await text({ toSpec: () => "no object" })), /toSpec: \[Function/);
});

test("displayBundle() takes HTML, SVG and PNG bytes by MIME type as they are given", () => {
  assert.deepEqual(
    displayBundle({ "text/html": "<b>b</b>", "image/svg+xml": "<svg/>", "image/png": Buffer.from("PNG") }),
    {
      "text/html": "<b>b</b>",
      "image/svg+xml": "<svg/>",
      "image/png": "UE5H",
    },
  );
});

test("mimeBundle() shows dates, maps, sets and errors as text", async () => {
  assert.equal(await text(new Date(0)), "1970-01-01T00:00:00.000Z");
  assert.equal(await text(new Date(Number.NaN)), "Invalid Date");
  assert.equal(await text(new Map([["a", { n: 1 }]])), "Map(1) { 'a' => { n: 1 } }");
  assert.equal(await text(new Set([1, 2])), "Set(2) { 1, 2 }");
  const bare = Object.assign(new RangeError("bare"), { code: 7 });
  bare.stack = "RangeError: bare";
  assert.equal(await text(bare), "RangeError: bare { code: 7 }");
  assert.match(
    String(await text(new Error("a", { cause: new TypeError("b") }))),
    /^Error: a\n {4}at [\s\S]*\[cause\]: TypeError: b/,
  );
});

test("mimeBundle() takes an object's own display, at once or by a promise, and shows look-alikes plainly", async () => {
  const own = { toString: () => "own", [Symbol.for("Jupyter.display")]: async () => ({ "text/plain": "shown" }) };
  assert.deepEqual(await mimeBundle(own), { "text/plain": "shown" });
  const alike = {
    columnNames: () => {
      throw new Error("no table");
    },
    objects: () => [],
  };
  assert.match(String(await text(alike)), /^\{ columnNames: \[Function/);
  assert.equal(await mimeBundle(undefined), undefined);
});

test("mimeBundle() shows nothing for what display() gives back", async () => {
  assert.equal(await mimeBundle({ displayId: "a", update: () => undefined }), undefined);
  assert.match(String(await text({ displayId: "a", update: true })), /displayId: 'a'/);
  assert.match(String(await text({ displayId: "a", update: () => undefined, more: 1 })), /more: 1/);
});
