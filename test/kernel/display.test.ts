import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { from, table } from "arquero";
import { mimeBundle } from "../../kernel/display.js";

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
