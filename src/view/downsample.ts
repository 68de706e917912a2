/**
 * Fewer points, the same picture. In: a curve, its x in order. Out: at most `limit` of its own points that keep the two
 * ends and the lowest and highest value of every stretch, so that no spike is lost; and a centred running mean.
 * It invents no points and moves none. Min/max decimation as in Jugel et al., "M4" (VLDB 2014), without first and last.
 */

/** A curve as two columns of one length. */
export interface Curve {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/**
 * Keeps at most `limit` points of a curve: both ends, and the minimum and maximum of each stretch in between.
 *
 * @param curve x in ascending order, y finite; both [n].
 * @param limit most points to keep, an even integer ≥ 4; default 500.
 * @returns the kept points in order, [min(n, limit)] or fewer.
 * @example
 * downsample({ x: [0, 1, 2], y: [3, 9, 3] }); // the same three points
 */
export function downsample(curve: Curve, limit = 500): Curve {
  const count = curve.x.length;
  if (count <= limit) return curve;
  const stretches = Math.floor((limit - 2) / 2);
  const kept: number[] = [0];
  for (let stretch = 0; stretch < stretches; stretch++) {
    const from = 1 + Math.floor((stretch * (count - 2)) / stretches);
    const to = 1 + Math.floor(((stretch + 1) * (count - 2)) / stretches);
    let low = from;
    let high = from;
    for (let i = from + 1; i < to; i++) {
      if (at(curve.y, i) < at(curve.y, low)) low = i;
      if (at(curve.y, i) > at(curve.y, high)) high = i;
    }
    kept.push(Math.min(low, high));
    if (low !== high) kept.push(Math.max(low, high));
  }
  kept.push(count - 1);
  return { x: kept.map((i) => at(curve.x, i)), y: kept.map((i) => at(curve.y, i)) };
}

/**
 * The centred mean of each point and its neighbours: it stands at the step that it describes instead of lagging behind.
 * At the ends only the neighbours that exist count.
 *
 * @param values [n].
 * @param window points in a full window, an odd integer ≥ 1.
 * @returns [n].
 * @example
 * centredMean([1, 2, 6], 3); // [1.5, 3, 4]
 */
export function centredMean(values: readonly number[], window: number): number[] {
  const sums = [0];
  for (const value of values) sums.push(at(sums, sums.length - 1) + value);
  return values.map((_, i) => {
    const from = Math.max(0, i - Math.floor(window / 2));
    const to = Math.min(values.length, i + Math.floor(window / 2) + 1);
    return (at(sums, to) - at(sums, from)) / (to - from);
  });
}

function at(values: readonly number[], index: number): number {
  return values[index] ?? Number.NaN;
}
