/**
 * The look that every picture shares: colours, inks, size and fonts. In: nothing. Out: constants. Figures are dark ink on
 * white paper so that they read the same on light and dark pages, and no meaning hangs on colour alone: chart.ts gives
 * each series its own dash and marker as well.
 */

/** Okabe & Ito (2008): eight colours that people with any colour vision tell apart; yellow and black left out. */
export const palette = {
  blue: "#0072B2",
  vermillion: "#D55E00",
  green: "#009E73",
  purple: "#CC79A7",
  orange: "#E69F00",
  sky: "#56B4E9",
} as const;

/** Inks of a figure: always dark on white, so that it reads the same on a light and on a dark page. */
export const ink = { strong: "#1b1f24", soft: "#57606a", grid: "#e6e9ed", line: "#8c959f", paper: "#ffffff" } as const;

/** Size of a drawn figure in pixels. */
export const figureSize = { width: 880, height: 480 } as const;

/** Fonts of a figure: the one that png.ts brings first, then what the reader's machine calls sans. */
export const fontFamily = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

/** Pixels between the end of a note's arrow and the point that it names. */
export const standoff = 9;
