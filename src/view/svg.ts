/**
 * Draws a figure as SVG text, without a browser. In: a figure's traces, layout and sentence. Out: one whole SVG document
 * with its sentence as accessible description. It draws what figure.ts can name (curves, points, bars, vertical lines,
 * notes) on linear or labelled axes, and nothing of the rest of Plotly's schema.
 */
import { createHash } from "node:crypto";
import { escapeMarkup } from "./escape.js";
import type { Annotation, Dash, Figure, Marker, MarkerSymbol, ScatterTrace, Trace } from "./figure.js";
import { formatNumber } from "./format.js";
import { figureSize, fontFamily, ink, standoff } from "./look.js";
import { bandScale, linearScale, type Scale, textWidth, wrapLabel } from "./scale.js";

/** The plot's rectangle in pixels and its two scales. */
interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly x: Scale;
  readonly y: Scale;
}

const dashes: Record<Dash, string> = { solid: "", dot: "2 4", dash: "8 5", longdash: "14 6", dashdot: "9 4 2 4" };

/** Length of a line in the legend: whole dashes of every pattern fit. */
const keyWidth = 34;

/**
 * Draws a figure.
 *
 * @param figure traces, layout and sentence.
 * @returns an SVG document, 880 × 480 pixels, dark ink on white.
 * @example
 * figureToSvg({ data: [], layout: { title: { text: "Nothing" }, xaxis: { title: { text: "x" } }, yaxis: { title: { text: "y" } } },
 *   description: "An empty plot." });
 */
export function figureToSvg(figure: Pick<Figure, "data" | "layout" | "description">): string {
  const { width, height } = figureSize;
  const legend = drawLegend(figure.data, figure.layout.title.subtitle ? 84 : 62, width - 24);
  const frame = frameOf(figure, legend.bottom + 16);
  // Several pictures may stand in one page, where names are shared: each names its clip after its own content.
  const clip = `plot-${createHash("sha256")
    .update(JSON.stringify([figure.data, figure.layout]))
    .digest("hex")
    .slice(0, 12)}`;
  const parts = [
    `<rect width="${width}" height="${height}" fill="${ink.paper}"/>`,
    drawTitle(figure),
    legend.svg,
    drawAxes(figure, frame),
    `<clipPath id="${clip}"><rect x="${px(frame.left - 10)}" y="${px(frame.top - 10)}" width="${px(frame.right - frame.left + 20)}" height="${px(frame.bottom - frame.top + 16)}"/></clipPath>`,
    ...(figure.layout.shapes ?? []).map((shape) => drawVertical(frame.x.position(shape.x0), shape.line, frame)),
    `<g clip-path="url(#${clip})">`,
    drawBars(figure, frame),
    ...figure.data.filter((trace) => trace.type === "scatter").map((trace) => drawScatter(trace, frame)),
    "</g>",
    ...(figure.layout.annotations ?? []).map((note) => drawAnnotation(note, frame)),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" font-family="${fontFamily}">`,
    `<title>${escapeMarkup(figure.layout.title.text)}</title>`,
    `<desc>${escapeMarkup(figure.description)}</desc>`,
    ...parts.filter((part) => part !== ""),
    "</svg>\n",
  ].join("\n");
}

function frameOf({ data, layout }: Pick<Figure, "data" | "layout">, top: number): Frame {
  const bottom = figureSize.height - 62;
  const right = figureSize.width - 28;
  const yRange = layout.yaxis.range ?? yRangeOf(data);
  // Labels of the y axis decide how far the plot moves to the right.
  const y = linearScale(yRange, [bottom, top], { count: 6 });
  const left = 50 + Math.max(26, ...y.ticks.map((tick) => textWidth(tick.label, 12)));
  const labels = data.flatMap((trace) => trace.x);
  const x =
    layout.xaxis.type === "category"
      ? bandScale([...new Set(labels.map(String))], [left, right])
      : linearScale(layout.xaxis.range ?? xRangeOf(data), [left, right], { count: 8, whole: data.every(wholeX) });
  return { left, right, top, bottom, x, y };
}

function wholeX(trace: Trace): boolean {
  return trace.x.every((value) => Number.isInteger(value));
}

function extent(values: readonly number[]): [number, number] {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return [0, 1];
  return finite.reduce<[number, number]>(
    ([low, high], v) => [Math.min(low, v), Math.max(high, v)],
    [Infinity, -Infinity],
  );
}

function xRangeOf(data: readonly Trace[]): [number, number] {
  const reach = data.flatMap((trace) => {
    const half = trace.type === "bar" ? (trace.width ?? 1) / 2 : 0;
    return trace.x.flatMap((value) => [Number(value) - half, Number(value) + half]);
  });
  return extent(reach);
}

function yRangeOf(data: readonly Trace[]): [number, number] {
  const [low, high] = extent(data.flatMap((trace) => trace.y));
  const air = high > low ? 0.06 * (high - low) : 0.5;
  // A bar's length is its value, so bars stand on zero; a curve may begin anywhere.
  return data.some((trace) => trace.type === "bar") ? [Math.min(0, low), high + air] : [low - air, high + air];
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${px(x)}" y="${px(y)}" ${attributes}>${escapeMarkup(content)}</text>`;
}

function drawTitle({ layout }: Pick<Figure, "layout">): string {
  const title = text(
    24,
    34,
    fitted(layout.title.text, 19, 840),
    `font-size="19" font-weight="bold" fill="${ink.strong}"`,
  );
  if (!layout.title.subtitle) return title;
  return `${title}\n${text(24, 57, fitted(layout.title.subtitle.text, 13.5, 840), `font-size="13.5" fill="${ink.soft}"`)}`;
}

// Bold type is about a tenth wider than the estimate; what does not fit ends in an ellipsis.
function fitted(content: string, size: number, room: number): string {
  let shown = content;
  while (shown.length > 8 && textWidth(shown, size) * 1.1 > room) shown = `${shown.slice(0, -2).trimEnd()}…`;
  return shown;
}

function drawLegend(data: readonly Trace[], top: number, right: number): { svg: string; bottom: number } {
  const named = data.filter((trace) => trace.showlegend !== false);
  if (named.length < 2 && named[0]?.type !== "scatter") return { svg: "", bottom: top - 14 };
  let x = 24;
  let y = top;
  const parts = named.map((trace) => {
    const entryWidth = keyWidth + 8 + textWidth(trace.name, 12.5) + 26;
    if (x + entryWidth > right && x > 24) {
      x = 24;
      y += 22;
    }
    const key = drawKey(trace, x, y);
    const label = text(x + keyWidth + 8, y + 4.5, trace.name, `font-size="12.5" fill="${ink.strong}"`);
    x += entryWidth;
    return `${key}${label}`;
  });
  return { svg: `<g class="legend">\n${parts.join("\n")}\n</g>`, bottom: y + 6 };
}

function drawKey(trace: Trace, x: number, y: number): string {
  if (trace.type === "bar")
    return `<rect x="${px(x + 8)}" y="${px(y - 6)}" width="14" height="12" rx="2" fill="${trace.marker.color}"/>`;
  const line = trace.mode === "markers" ? "" : drawPath(`M${px(x)} ${px(y)}H${px(x + keyWidth)}`, trace);
  const point = trace.mode === "lines" || !trace.marker ? "" : drawMarker(x + keyWidth / 2, y, trace.marker);
  return `${line}${point}`;
}

function drawAxes(
  { data, layout }: Pick<Figure, "data" | "layout">,
  { left, right, top, bottom, x, y }: Frame,
): string {
  const label = `font-size="12" fill="${ink.soft}"`;
  const title = `font-size="13" fill="${ink.strong}" text-anchor="middle"`;
  const middle = (top + bottom) / 2;
  const room = (right - left) / Math.max(1, new Set(data.flatMap((trace) => trace.x)).size);
  return [
    ...y.ticks.map(
      ({ position }) => `<path d="M${px(left)} ${px(position)}H${px(right)}" stroke="${ink.grid}" fill="none"/>`,
    ),
    ...y.ticks.map((tick) => text(left - 9, tick.position + 4.2, tick.label, `${label} text-anchor="end"`)),
    `<path d="M${px(left)} ${px(bottom)}H${px(right)}" stroke="${ink.line}" fill="none"/>`,
    ...x.ticks.map(({ position }) => `<path d="M${px(position)} ${px(bottom)}v5" stroke="${ink.line}" fill="none"/>`),
    ...x.ticks.flatMap((tick) =>
      (layout.xaxis.type === "category" ? wrapLabel(tick.label, room) : [tick.label]).map((line, i) =>
        text(tick.position, bottom + 19 + 14 * i, line, `${label} text-anchor="middle"`),
      ),
    ),
    text((left + right) / 2, bottom + 46, layout.xaxis.title.text, title),
    text(0, 0, layout.yaxis.title.text, `${title} transform="translate(28 ${px(middle)}) rotate(-90)"`),
  ].join("\n");
}

function drawVertical(x: number, line: { color: string; width: number; dash: Dash }, { top, bottom }: Frame): string {
  return `<path d="M${px(x)} ${px(top)}V${px(bottom)}" stroke="${line.color}" stroke-width="${line.width}"${dashOf(line.dash)} fill="none"/>`;
}

function drawBars({ data, layout }: Pick<Figure, "data" | "layout">, frame: Frame): string {
  const bars = data.filter((trace) => trace.type === "bar");
  const labels = new Set(data.flatMap((trace) => trace.x)).size;
  const band = (frame.right - frame.left) / Math.max(1, labels);
  return bars
    .flatMap((trace, series) => {
      const isBand = layout.xaxis.type === "category";
      const unit = frame.x.position(1) - frame.x.position(0);
      const total = isBand ? Math.min(96, band * 0.72) : (trace.width ?? 1) * unit * 0.94;
      const width = total / bars.length;
      return trace.x.map((value, i) => {
        const y = trace.y[i] ?? Number.NaN;
        if (!Number.isFinite(y)) return "";
        const zero = frame.y.position(0);
        const end = frame.y.position(y);
        const from = frame.x.position(value) - total / 2 + series * width;
        const top = Math.min(zero, end);
        const bar = `<rect x="${px(from)}" y="${px(top)}" width="${px(Math.max(0.5, width - (bars.length > 1 ? 2 : 0)))}" height="${px(Math.abs(zero - end))}" fill="${trace.marker.color}"/>`;
        // A few bars carry their numbers; a histogram would be crowded.
        const shown = isBand && labels * bars.length <= 16;
        const style = `font-size="12" fill="${ink.strong}" text-anchor="middle"`;
        return shown ? `${bar}${text(from + width / 2, top - 6, formatNumber(y), style)}` : bar;
      });
    })
    .join("\n");
}

function drawScatter(trace: ScatterTrace, frame: Frame): string {
  const points = trace.x.map(
    (value, i) => [frame.x.position(value), frame.y.position(trace.y[i] ?? Number.NaN)] as const,
  );
  const parts: string[] = [];
  if (trace.mode !== "markers") {
    let pen = "M";
    let path = "";
    for (const [x, y] of points) {
      const drawn = Number.isFinite(y);
      if (drawn) path += `${pen}${px(x)} ${px(y)}`;
      pen = drawn ? "L" : "M";
    }
    if (path !== "") parts.push(drawPath(path, trace));
  }
  const { marker } = trace;
  if (marker && trace.mode !== "lines") {
    for (const [x, y] of points) if (Number.isFinite(y)) parts.push(drawMarker(x, y, marker));
  }
  return parts.join("\n");
}

function drawPath(path: string, trace: ScatterTrace): string {
  const line = trace.line ?? { color: ink.strong, width: 2, dash: "solid" as const };
  const opacity = trace.opacity === undefined ? "" : ` opacity="${trace.opacity}"`;
  return `<path d="${path}" fill="none" stroke="${line.color}" stroke-width="${line.width}" stroke-linejoin="round" stroke-linecap="butt"${dashOf(line.dash)}${opacity}/>`;
}

function dashOf(dash: Dash): string {
  return dash === "solid" ? "" : ` stroke-dasharray="${dashes[dash]}"`;
}

function drawMarker(x: number, y: number, { color, symbol = "circle", size = 8, line }: Marker): string {
  const r = size / 2;
  const stroke = line ? ` stroke="${line.color}" stroke-width="${line.width}"` : "";
  if (symbol === "circle") return `<circle cx="${px(x)}" cy="${px(y)}" r="${px(r)}" fill="${color}"${stroke}/>`;
  if (symbol === "x") {
    return `<path d="M${px(x - r)} ${px(y - r)}l${size} ${size}M${px(x + r)} ${px(y - r)}l${-size} ${size}" fill="none" stroke="${color}" stroke-width="2.2"/>`;
  }
  const corners = outline(symbol).map(([dx, dy]) => `${px(x + dx * r)} ${px(y + dy * r)}`);
  return `<path d="M${corners.join("L")}Z" fill="${color}"${stroke} stroke-linejoin="round"/>`;
}

// Corner points on or near the unit circle, y downwards.
function outline(symbol: Exclude<MarkerSymbol, "circle" | "x">): readonly (readonly [number, number])[] {
  switch (symbol) {
    case "square":
      return [
        [-0.88, -0.88],
        [0.88, -0.88],
        [0.88, 0.88],
        [-0.88, 0.88],
      ];
    case "diamond":
      return [
        [0, -1.25],
        [1.25, 0],
        [0, 1.25],
        [-1.25, 0],
      ];
    case "triangle-up":
      return [
        [0, -1.15],
        [1.05, 0.8],
        [-1.05, 0.8],
      ];
    case "triangle-down":
      return [
        [0, 1.15],
        [1.05, -0.8],
        [-1.05, -0.8],
      ];
    case "star":
      return Array.from({ length: 10 }, (_, i) => {
        const radius = i % 2 === 0 ? 1.3 : 0.55;
        const angle = (i * Math.PI) / 5 - Math.PI / 2;
        return [radius * Math.cos(angle), radius * Math.sin(angle)] as const;
      });
  }
}

function drawAnnotation(note: Annotation, frame: Frame): string {
  const x = frame.x.position(note.x);
  const y = note.yref === "paper" ? frame.bottom - note.y * (frame.bottom - frame.top) : frame.y.position(note.y);
  const tx = x + (note.showarrow ? (note.ax ?? 0) : (note.xshift ?? 0));
  const ty = y + (note.showarrow ? (note.ay ?? 0) : 0);
  const lift = { top: 12, middle: 4.3, bottom: -4 }[note.yanchor];
  const anchor = { left: "start", center: "middle", right: "end" }[note.xanchor];
  // White behind the letters keeps a curve from crossing them.
  const label = text(
    tx,
    ty + lift,
    note.text,
    `font-size="12.5" fill="${ink.strong}" text-anchor="${anchor}" stroke="${ink.paper}" stroke-width="4" stroke-linejoin="round" paint-order="stroke"`,
  );
  // The arrow ends a little before the point, so that it does not cover the marker.
  const short = 1 - Math.min(1, standoff / Math.max(1, Math.hypot(tx - x, ty - y)));
  const end = [px(tx + (x - tx) * short), px(ty + (y - ty) * short)].join(" ");
  const arrow = note.showarrow ? `<path d="M${px(tx)} ${px(ty)}L${end}" stroke="${ink.soft}" fill="none"/>` : "";
  return `${arrow}${label}`;
}

function px(value: number): string {
  return String(Number(value.toFixed(1)));
}
