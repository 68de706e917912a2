/**
 * From numbers to pixels: linear scales with round ticks, and evenly spaced places for labels. In: a range of data and
 * a range of pixels. Out: positions and tick labels. It draws nothing and knows no dates or logarithms.
 * Ticks as in Heckbert, "Nice numbers for graph labels", Graphics Gems (1990).
 */

/** A mark on an axis: where it stands in pixels and what it says. */
export interface Tick {
  readonly position: number;
  readonly label: string;
}

/** Turns values into pixels. */
export interface Scale {
  readonly ticks: readonly Tick[];
  position(value: number | string): number;
}

/**
 * Round numbers that cover a range: steps of 1, 2 or 5 times a power of ten.
 *
 * @param low lower end, finite.
 * @param high upper end, finite, > low.
 * @param count about how many ticks are wanted, ≥ 2.
 * @param whole only whole numbers, for steps and counts; default false.
 * @returns the tick values inside [low, high], ascending.
 * @example
 * niceTicks(0, 10, 5); // [0, 2, 4, 6, 8, 10]
 */
export function niceTicks(low: number, high: number, count: number, whole = false): number[] {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const share = rough / power;
  const factor = share < 1.5 ? 1 : share < 3 ? 2 : share < 7 ? 5 : 10;
  const step = whole ? Math.max(1, factor * power) : factor * power;
  const ticks: number[] = [];
  // Counting in whole steps keeps 0.1 + 0.2 from becoming 0.30000000000000004.
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(i === 0 ? 0 : i * step);
  return ticks;
}

/**
 * A linear scale.
 *
 * @param domain lowest and highest value; widened when they are the same.
 * @param pixels where the two ends stand, in pixels; may descend.
 * @param options count: wanted number of ticks; whole: whole-number ticks only.
 * @returns positions and ticks; ticks carry thousands separators and one number of decimals.
 * @example
 * linearScale([0, 10], [0, 100], { count: 5 }).position(5); // 50
 */
export function linearScale(
  domain: readonly [number, number],
  pixels: readonly [number, number],
  options: { readonly count: number; readonly whole?: boolean },
): Scale {
  const [low, high] = domain[1] > domain[0] ? domain : [domain[0] - 0.5, domain[0] + 0.5];
  const position = (value: number | string) =>
    pixels[0] + ((Number(value) - low) / (high - low)) * (pixels[1] - pixels[0]);
  const values = niceTicks(low, high, options.count, options.whole);
  const step = Math.abs((values[1] ?? high) - (values[0] ?? low));
  const decimals = Math.min(8, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  const format = new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  // A learning rate reads as 2e-5, not as 0.00002.
  const tiny = Math.max(Math.abs(low), Math.abs(high)) < 1e-3;
  const label = (value: number) => {
    if (!tiny) return format.format(value);
    return value === 0 ? "0" : Number(value.toPrecision(10)).toExponential();
  };
  return { position, ticks: values.map((value) => ({ position: position(value), label: label(value) })) };
}

/**
 * Labels side by side, each in the middle of its band.
 *
 * @param labels distinct labels in order.
 * @param pixels where the first band begins and the last one ends, in pixels.
 * @returns positions, and a tick for every label (every k-th where they would touch).
 * @example
 * bandScale(["a", "b"], [0, 100]).position("b"); // 75
 */
export function bandScale(labels: readonly string[], pixels: readonly [number, number]): Scale {
  const band = (pixels[1] - pixels[0]) / Math.max(1, labels.length);
  const places = new Map(labels.map((label, i) => [label, pixels[0] + (i + 0.5) * band]));
  const position = (value: number | string) => places.get(String(value)) ?? Number.NaN;
  const widest = Math.max(0, ...labels.flatMap((label) => wrapLabel(label, band).map((line) => textWidth(line, 12))));
  const every = Math.max(1, Math.ceil((widest + 10) / Math.max(1, band)));
  const ticks = labels.filter((_, i) => i % every === 0).map((label) => ({ position: position(label), label }));
  return { position, ticks };
}

/**
 * Breaks a label into two lines at the blank or hyphen nearest its middle, when it is wider than its place.
 *
 * @param label one line.
 * @param room width in pixels.
 * @returns one line or two.
 * @example
 * wrapLabel("Democratic-Republican", 90); // ["Democratic-", "Republican"]
 */
export function wrapLabel(label: string, room: number): string[] {
  if (textWidth(label, 12) + 10 <= room) return [label];
  const breaks = [...label.matchAll(/[ -]/g)].map((match) => match.index + 1);
  const middle = label.length / 2;
  const at = breaks.sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle))[0];
  return at === undefined ? [label] : [label.slice(0, at).trimEnd(), label.slice(at)];
}

/**
 * About how wide a text stands in DejaVu Sans, a little more than most sans fonts take.
 *
 * @param text one line.
 * @param size font size in pixels.
 * @returns width in pixels, within about 10 %.
 */
export function textWidth(text: string, size: number): number {
  let ems = 0;
  for (const character of text) {
    if (/[ijlI.,:;'|!]/.test(character)) ems += 0.31;
    else if (/[ frt()[\]-]/.test(character)) ems += 0.38;
    else if (/[mwMW@%—]/.test(character)) ems += 0.95;
    else if (/[A-Z]/.test(character)) ems += 0.69;
    else ems += 0.62;
  }
  return ems * size;
}
