import assert from "node:assert/strict";
import { test } from "node:test";
import { table as arqueroTable } from "arquero";
import { jupyterDisplay } from "../../src/view/display.js";
import { compareTexts, table } from "../../src/view/table.js";
import { readMarkup } from "./markup.js";

function shown(value: ReturnType<typeof table>): { html: string; text: string } {
  const bundle = value[jupyterDisplay]();
  return { html: String(bundle["text/html"]), text: String(bundle["text/plain"]) };
}

test("table() aligns numbers to the right, groups thousands and leaves years alone", () => {
  const rows = [
    { year: 1790, name: "Washington", tokens: 1401 },
    { year: 1981, name: "Carter", tokens: 44_021 },
  ];
  const { html, text } = shown(table(rows, { caption: "addresses" }));
  assert.equal(
    text,
    [
      "addresses (2 rows)",
      "year  name        tokens",
      "----  ----------  ------",
      "1790  Washington   1,401",
      "1981  Carter      44,021",
    ].join("\n"),
  );
  assert.match(html, /<td style="text-align: right; vertical-align: top; padding: 2px 10px">44,021<\/td>/);
  readMarkup(html);
});

test("table() escapes cells, names and captions", () => {
  const evil = "<img src=x onerror=alert(1)>";
  const { html } = shown(table([{ [evil]: evil }], { caption: evil }));
  assert.ok(!readMarkup(html).elements.includes("img"));
});

test("table() shows the first rows and says how many there are", () => {
  const rows = Array.from({ length: 1500 }, (_, i) => ({ i }));
  assert.match(shown(table(rows, { maxRows: 3 })).text, /^first 3 of 1,500 rows\ni\n-\n0\n1\n2$/);
  assert.equal(shown(table([{ a: 1 }])).text.split("\n")[0], "1 row");
});

test("table() words blanks, dates, objects and own formats", () => {
  const rows = [{ a: null, b: new Date(0), c: { d: 1 }, share: 0.5 }];
  const { text } = shown(table(rows, { format: { share: (value) => `${100 * Number(value)} %` } }));
  assert.match(text, /1970-01-01T00:00:00\.000Z {2}\{"d":1\} {3}50 %/);
});

test("table() shows an arquero table", () => {
  const { text } = shown(table(arqueroTable({ name: ["a", "b", "c"], loss: [1.23456, 2, 3] }), { maxRows: 2 }));
  assert.equal(text, ["first 2 of 3 rows", "name   loss", "----  -----", "a     1.235", "b         2"].join("\n"));
});

test("compareTexts() sets texts side by side and one below the other, escaped", () => {
  const bundle = compareTexts([
    { title: "before", text: "the <the>" },
    { title: "after", text: "Fellow citizens,\nwe" },
  ])[jupyterDisplay]();
  assert.equal(bundle["text/plain"], "before\n------\nthe <the>\n\nafter\n-----\nFellow citizens,\nwe");
  assert.match(readMarkup(String(bundle["text/html"])).text, /before\nthe <the>\nafter\nFellow citizens/);
});
