/**
 * SVG in, PNG out: the only file that knows resvg. The fonts come from npm (DejaVu, free licence) and the machine's own
 * are not looked at, so that the same SVG gives the same picture everywhere. It fetches nothing that the SVG names.
 * Source: https://github.com/thx/resvg-js
 */
import { createRequire } from "node:module";
import { Resvg } from "@resvg/resvg-js";
import { indexedPng } from "./indexed-png.js";

/** A chart of five lines has some thousand shades, nearly all of them at the edges of letters and lines. */
const paletteSize = 64;

const require = createRequire(import.meta.url);

/**
 * Draws an SVG as PNG.
 *
 * @param svg a whole SVG document with width and height.
 * @param scale pixels of the PNG per SVG pixel, > 0; default 1. Use 2 for a file that people will zoom or print.
 * @returns the bytes of the PNG file.
 * @throws RangeError or Error from resvg when the text is not an SVG document.
 * @example
 * svgToPng('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>', 2); // 16 × 16 pixels
 */
export function svgToPng(svg: string, scale = 1): Uint8Array {
  const fontFiles = ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"].map((file) =>
    require.resolve(`dejavu-fonts-ttf/ttf/${file}`),
  );
  const image = new Resvg(svg, {
    fitTo: { mode: "zoom", value: scale },
    font: { loadSystemFonts: false, fontFiles, defaultFontFamily: "DejaVu Sans", sansSerifFamily: "DejaVu Sans" },
  }).render();
  return indexedPng(image, paletteSize);
}
