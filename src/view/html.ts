/**
 * A figure as one HTML file that works from a disk, a mail or a web page: the only file that knows Plotly. In: a figure.
 * Out: a page with Plotly's own script inside (about 5 MB), the sentence as visible text, and the SVG for readers
 * without scripts. It loads nothing from the network. Source: https://github.com/plotly/plotly.js (MIT).
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { escapeMarkup, escapeScriptJson } from "./escape.js";
import { type Figure, plotlyJson } from "./figure.js";
import { figureToSvg } from "./svg.js";

/**
 * Writes a figure as a self-contained interactive page.
 *
 * @param figure traces, layout and sentence.
 * @returns the text of an HTML file.
 * @throws Error from Node when the package plotly.js-dist-min is not installed.
 * @example
 * const page = figureToHtml(trainingFigure([]));
 */
export function figureToHtml(figure: Pick<Figure, "data" | "layout" | "description">): string {
  const title = escapeMarkup(figure.layout.title.text);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>
body { margin: 0 auto; max-width: 1100px; padding: 24px; background: #fff; color: #1b1f24; font: 16px/1.5 system-ui, sans-serif; }
p { margin: 8px 24px; max-width: 70ch; }
svg { max-width: 100%; height: auto; }
</style>
</head>
<body>
<main>
<div id="figure" role="img" aria-label="${title}" aria-describedby="description"></div>
<noscript>
${figureToSvg(figure)}</noscript>
<p id="description">${escapeMarkup(figure.description)}</p>
</main>
<script>${plotlySource()}</script>
<script>
const figure = ${escapeScriptJson(plotlyJson(figure))};
Plotly.newPlot("figure", figure.data, figure.layout, figure.config);
</script>
</body>
</html>
`;
}

/** Path of the minified Plotly that npm installed. */
export function plotlyFile(): string {
  return createRequire(import.meta.url).resolve("plotly.js-dist-min/plotly.min.js");
}

function plotlySource(): string {
  // Inside JavaScript strings and patterns `<\/` means `</`, but no longer ends the script element.
  return readFileSync(plotlyFile(), "utf8").replace(/<\/(script)/gi, "<\\/$1");
}
