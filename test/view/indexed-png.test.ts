/** PNG with a palette, read back by resvg's own decoder, which checks every check sum. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";
import { Resvg } from "@resvg/resvg-js";
import { seededRandom } from "../../src/data/random.js";
import { indexedPng } from "../../src/view/indexed-png.js";

function readBack(png: Uint8Array, width: number, height: number): number[][] {
  const href = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><image href="${href}" width="${width}" height="${height}" image-rendering="optimizeSpeed"/></svg>`;
  const { pixels } = new Resvg(svg).render();
  return Array.from({ length: width * height }, (_, at) => [...pixels.subarray(4 * at, 4 * at + 4)]);
}

test("indexedPng() keeps every pixel of a picture of few colours", () => {
  const random = seededRandom(1);
  const palette = Array.from({ length: 64 }, () => [
    random.integer(256),
    random.integer(256),
    random.integer(256),
    255,
  ]);
  const wanted = Array.from({ length: 31 * 17 }, () => palette[random.integer(64)] ?? []);
  const png = indexedPng({ width: 31, height: 17, pixels: Uint8Array.from(wanted.flat()) }, 64);
  deepEqual(readBack(png, 31, 17), wanted);
});

test("indexedPng() gives a colour too many the nearest of the palette", () => {
  const [white, ink, nearInk] = [
    [255, 255, 255, 255],
    [27, 31, 36, 255],
    [40, 44, 50, 255],
  ];
  const wanted = [white, white, white, ink, ink, nearInk];
  const png = indexedPng({ width: 3, height: 2, pixels: Uint8Array.from(wanted.flat() as number[]) }, 2);
  deepEqual(readBack(png, 3, 2), [white, white, white, ink, ink, ink]);
});

test("indexedPng() keeps what can be seen through", () => {
  const pixels = Uint8Array.of(0, 0, 0, 0, 0, 114, 178, 255);
  deepEqual(readBack(indexedPng({ width: 2, height: 1, pixels }, 64), 2, 1), [
    [0, 0, 0, 0],
    [0, 114, 178, 255],
  ]);
});

test("indexedPng() of a plain surface is small", () => {
  const png = indexedPng({ width: 880, height: 480, pixels: new Uint8Array(4 * 880 * 480).fill(255) }, 64);
  ok(png.length < 1_000, `${png.length} bytes`);
  equal(Buffer.from(png).subarray(1, 4).toString("latin1"), "PNG");
});
