import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { trainingFigure } from "../../src/view/chart.js";
import { svgToPng } from "../../src/view/png.js";
import { linearScale, niceTicks, wrapLabel } from "../../src/view/scale.js";
import { figureToSvg } from "../../src/view/svg.js";
import { snapshotFolder, snapshots } from "./make-snapshots.js";
import { readMarkup } from "./markup.js";
import { sampleRun } from "./sample-run.js";

for (const [name, svg] of snapshots()) {
  test(`figureToSvg() draws ${name} as committed`, () => {
    readMarkup(svg);
    const committed = readFileSync(join(snapshotFolder, name), "utf8");
    assert.equal(svg, committed, "remake with: node dist/test/view/make-snapshots.js, then look at the picture");
  });
}

test("figureToSvg() writes title, sentence, axis titles and legend", () => {
  const figure = trainingFigure(sampleRun());
  const { text } = readMarkup(figureToSvg(figure));
  for (const words of [
    figure.layout.title.text,
    figure.description,
    "optimiser step (1 epoch = 160 steps)",
    "loss (nats per token)",
    "validation loss",
    "best checkpoint",
  ]) {
    assert.ok(text.split("\n").includes(words), `"${words}" is missing`);
  }
});

test("figureToSvg() keeps hostile names as text", () => {
  const name = `"><script>alert('1')</script>&\u0000`;
  const { elements, text } = readMarkup(figureToSvg(trainingFigure(sampleRun({ modelName: name.replace("/", "|") }))));
  assert.ok(!elements.includes("script"));
  assert.match(text, /alert\('1'\)/);
});

test("figureToSvg() draws every number inside the picture and none as NaN", () => {
  for (const events of [[], sampleRun().slice(0, 2), sampleRun({ steps: 3, evaluateEvery: 1 })]) {
    assert.doesNotMatch(figureToSvg(trainingFigure(events)), /NaN|Infinity|undefined/);
  }
});

test("svgToPng() gives a picture of the asked size that is not blank", () => {
  const png = Buffer.from(svgToPng(figureToSvg(trainingFigure(sampleRun())), 2));
  assert.equal(png.subarray(0, 8).toString("hex"), "89504e470d0a1a0a");
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1760, 960]);
  const { distinctRows } = scanlines(png);
  assert.ok(distinctRows > 400, `only ${distinctRows} of 960 rows differ`);
});

test("svgToPng() draws letters with the font that travels with the package", () => {
  const picture = (content: string) =>
    svgToPng(
      `<svg xmlns="http://www.w3.org/2000/svg" width="80" height="24"><text x="2" y="18" font-family="DejaVu Sans">${content}</text></svg>`,
    );
  assert.notDeepEqual(picture("loss"), picture(""));
  assert.deepEqual(picture("loss"), picture("loss"));
});

test("niceTicks() steps by 1, 2 or 5 times a power of ten and stays inside", () => {
  assert.deepEqual(niceTicks(0, 10, 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(
    niceTicks(3.02, 3.98, 5).map((tick) => tick.toFixed(1)),
    ["3.2", "3.4", "3.6", "3.8"],
  );
  assert.deepEqual(niceTicks(0, 2, 8, true), [0, 1, 2]);
});

test("linearScale() labels ticks with one number of decimals, separators, and tiny values by exponent", () => {
  const labels = (domain: [number, number]) =>
    linearScale(domain, [0, 100], { count: 4 }).ticks.map((tick) => tick.label);
  assert.deepEqual(labels([0, 2000]), ["0", "500", "1,000", "1,500", "2,000"]);
  assert.deepEqual(labels([0, 1]), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
  assert.deepEqual(labels([0, 2e-5]), ["0", "5e-6", "1e-5", "1.5e-5", "2e-5"]);
});

test("wrapLabel() breaks only labels that do not fit", () => {
  assert.deepEqual(wrapLabel("Whig", 100), ["Whig"]);
  assert.deepEqual(wrapLabel("Democratic-Republican", 90), ["Democratic-", "Republican"]);
});

// PNG 1.2: chunks of length, type, data, checksum; IDAT holds the deflated rows.
function scanlines(png: Buffer): { distinctRows: number } {
  const data: Buffer[] = [];
  for (let offset = 8; offset < png.length; ) {
    const length = png.readUInt32BE(offset);
    if (png.toString("latin1", offset + 4, offset + 8) === "IDAT")
      data.push(png.subarray(offset + 8, offset + 8 + length));
    offset += 12 + length;
  }
  const pixels = inflateSync(Buffer.concat(data));
  const rowBytes = pixels.length / png.readUInt32BE(20);
  const rows = Array.from({ length: png.readUInt32BE(20) }, (_, i) =>
    pixels.toString("latin1", i * rowBytes, (i + 1) * rowBytes),
  );
  return { distinctRows: new Set(rows).size };
}
