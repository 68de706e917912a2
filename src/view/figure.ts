/**
 * A figure: plain Plotly JSON that this project draws by itself. In: traces, a layout and a sentence. Out: a value that
 * shows itself in a notebook as interactive Plotly, SVG, PNG and text, one bundle. It imports no Plotly: the types here
 * name only the part of Plotly's schema (https://plotly.com/javascript/reference/) that svg.ts can draw.
 */
import { type Displayable, jupyterDisplay, type MimeBundle } from "./display.js";
import { figureSize, fontFamily, ink, standoff } from "./look.js";
import { svgToPng } from "./png.js";
import { figureToSvg } from "./svg.js";

/** Line patterns, so that curves differ without colour. */
export type Dash = "solid" | "dot" | "dash" | "longdash" | "dashdot";

/** Marker shapes, so that points differ without colour. */
export type MarkerSymbol = "circle" | "square" | "diamond" | "triangle-up" | "triangle-down" | "x" | "star";

/** The look of markers and bars. */
export interface Marker {
  readonly color: string;
  readonly symbol?: MarkerSymbol;
  /** Diameter in pixels. */
  readonly size?: number;
  readonly line?: { readonly color: string; readonly width: number };
}

/** A curve or a cloud of points. */
export interface ScatterTrace {
  readonly type: "scatter";
  readonly mode: "lines" | "markers" | "lines+markers";
  readonly name: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly line?: { readonly color: string; readonly width: number; readonly dash: Dash };
  readonly marker?: Marker;
  /** Of the line, 0 to 1. */
  readonly opacity?: number;
  readonly hovertemplate?: string;
  readonly showlegend?: boolean;
}

/** Vertical bars over labels, or over numbers with a width in units of x. */
export interface BarTrace {
  readonly type: "bar";
  readonly name: string;
  readonly x: readonly (number | string)[];
  readonly y: readonly number[];
  readonly width?: number;
  readonly marker: Marker;
  readonly hovertemplate?: string;
  readonly showlegend?: boolean;
}

/** One series of a figure. */
export type Trace = ScatterTrace | BarTrace;

/** One linear or labelled axis. */
export interface Axis {
  readonly title: { readonly text: string };
  readonly type?: "linear" | "category";
  readonly range?: readonly [number, number];
  /** Heading of the hover label that all series share. */
  readonly unifiedhovertitle?: { readonly text: string };
}

/** A vertical line across the whole plot. */
export interface VerticalLine {
  readonly type: "line";
  readonly xref: "x";
  readonly yref: "paper";
  readonly x0: number;
  readonly x1: number;
  readonly y0: 0;
  readonly y1: 1;
  readonly line: { readonly color: string; readonly width: number; readonly dash: Dash };
}

/** A short text tied to a point; `ax` and `ay` move the text in pixels. */
export interface Annotation {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly xref: "x";
  readonly yref: "y" | "paper";
  readonly showarrow: boolean;
  readonly ax?: number;
  readonly ay?: number;
  readonly xanchor: "left" | "center" | "right";
  readonly yanchor: "top" | "middle" | "bottom";
  readonly xshift?: number;
}

/** Everything around the traces. */
export interface Layout {
  readonly title: { readonly text: string; readonly subtitle?: { readonly text: string } };
  readonly xaxis: Axis;
  readonly yaxis: Axis;
  readonly shapes?: readonly VerticalLine[];
  readonly annotations?: readonly Annotation[];
}

/** A picture with its data, and one sentence that says what it shows. */
export interface Figure extends Displayable {
  readonly data: readonly Trace[];
  readonly layout: Layout;
  /** What the picture shows, with its numbers, for whoever cannot see it. */
  readonly description: string;
}

/**
 * Makes a figure from its parts.
 *
 * @param parts traces, layout, and the sentence that says what the picture shows.
 * @returns a figure that shows itself in a notebook.
 * @example
 * figure({ data: [], layout: { title: { text: "Nothing" }, xaxis: { title: { text: "x" } }, yaxis: { title: { text: "y" } } },
 *   description: "An empty plot." });
 */
export function figure(parts: Pick<Figure, "data" | "layout" | "description">): Figure {
  return { ...parts, [jupyterDisplay]: () => figureBundle(parts, { png: true }) };
}

/**
 * The MIME bundle of a figure. Never text/html: converters prefer it and then hide the picture.
 *
 * @param parts the figure.
 * @param options png: whether to draw the PNG too, which takes most of the time; live updates leave it out.
 * @returns Plotly JSON, SVG, PNG in base64 (when asked for) and the sentence as text.
 */
export function figureBundle(
  parts: Pick<Figure, "data" | "layout" | "description">,
  options: { readonly png: boolean },
): MimeBundle {
  const svg = figureToSvg(parts);
  return {
    "application/vnd.plotly.v1+json": plotlyJson(parts),
    "image/svg+xml": svg,
    ...(options.png ? { "image/png": Buffer.from(svgToPng(svg)).toString("base64") } : {}),
    "text/plain": parts.description,
  };
}

/**
 * A figure as complete Plotly JSON, with the look that svg.ts draws (fonts, gridlines, legend above the plot).
 *
 * @param parts the figure; its numbers are rounded to six significant digits.
 * @returns `{ data, layout, config }`, plain JSON.
 */
export function plotlyJson({ data, layout }: Pick<Figure, "data" | "layout">): Record<string, unknown> {
  const axis = {
    gridcolor: ink.grid,
    zeroline: false,
    showline: true,
    linecolor: ink.line,
    ticks: "outside",
    tickcolor: ink.line,
    automargin: true,
  };
  return {
    data: data.map((trace) => ({
      ...trace,
      name: plotlyText(trace.name),
      x: trace.x.map(rounded),
      y: trace.y.map(rounded),
    })),
    layout: {
      ...layout,
      title: {
        text: `<b>${plotlyText(layout.title.text)}</b>`,
        font: { size: 18, color: ink.strong },
        ...(layout.title.subtitle && {
          subtitle: { text: plotlyText(layout.title.subtitle.text), font: { size: 13, color: ink.soft } },
        }),
        x: 0,
        xref: "paper",
        xanchor: "left",
        y: 1,
        yref: "container",
        yanchor: "top",
        pad: { t: 20 },
      },
      xaxis: { ...axis, ...titled(layout.xaxis), showgrid: false },
      yaxis: { ...axis, ...titled(layout.yaxis) },
      annotations:
        layout.annotations?.map((note) => ({
          ...note,
          text: plotlyText(note.text),
          bgcolor: "rgba(255,255,255,0.85)",
          arrowcolor: ink.soft,
          arrowwidth: 1,
          arrowhead: 0,
          standoff,
        })) ?? [],
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.01, yanchor: "bottom" },
      font: { family: fontFamily, size: 13, color: ink.strong },
      margin: { l: 70, r: 28, t: spaceAbove(data, layout), b: 60 },
      paper_bgcolor: ink.paper,
      plot_bgcolor: ink.paper,
      hovermode: data.some((trace) => trace.type === "bar") ? "closest" : "x unified",
      height: figureSize.height,
      autosize: true,
      // One constant revision: a reader's zoom outlives the updates of a live chart.
      uirevision: "fledge",
    },
    config: { responsive: true, displaylogo: false },
  };
}

// Room for the title, a subtitle and the legend: four names and more take two rows where a page is narrow. Plotly shows no legend for one.
function spaceAbove(data: readonly Trace[], layout: Layout): number {
  const named = data.filter((trace) => trace.showlegend !== false).length;
  const legendRows = named < 2 ? 0 : named < 4 ? 1 : 2;
  return 58 + (layout.title.subtitle ? 18 : 0) + 24 * legendRows;
}

function rounded<Value extends number | string>(value: Value): number | Value {
  return typeof value === "number" ? Number(value.toPrecision(6)) : value;
}

// Plotly reads a subset of HTML in its texts; a model may be called "<b>".
function plotlyText(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function titled(axis: Axis): Axis {
  return { ...axis, title: { text: plotlyText(axis.title.text) } };
}
