/**
 * Numbers for people: separators, units, and no more digits than mean something. In: plain numbers, units in their
 * names. Out: short strings, the same on every machine whatever its locale. It does not colour, pad or print.
 */

/**
 * A count with thousands separators.
 *
 * @param count any number; rounded to an integer.
 * @returns `82,112` style text, "unknown" for a number that is not finite.
 * @example
 * formatCount(1234567); // "1,234,567"
 */
export function formatCount(count: number): string {
  return Number.isFinite(count) ? groupThousands(Math.round(count).toFixed(0)) : "unknown";
}

/**
 * A size in decimal units, three significant digits.
 *
 * @param bytes size in bytes, ≥ 0.
 * @returns `812 B`, `1.25 GB`; "unknown" for a number that is not finite.
 * @example
 * formatBytes(1250000000); // "1.25 GB"
 */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return "unknown";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  // 999.5 would be rounded to "1000": one unit up instead.
  while (Math.abs(value) >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${units[unit] ?? ""}`;
}

/**
 * A length of time in its two largest units.
 *
 * @param seconds time in seconds, ≥ 0.
 * @returns `0.4 s`, `42 s`, `2 min 10 s`, `1 h 05 min`, `3 d 4 h`; "unknown" for a number that is not finite.
 * @example
 * formatDuration(130); // "2 min 10 s"
 */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "unknown";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  const hours = Math.round(seconds / 3600);
  return `${formatCount(Math.floor(hours / 24))} d ${hours % 24} h`;
}

/**
 * A loss with the digits that matter: three decimals, more where the loss is tiny.
 *
 * @param nats loss in nats per token.
 * @returns `4.211`, `0.00012`, or "not a number" / "infinite", never a disguised zero.
 * @example
 * formatLoss(4.21056); // "4.211"
 */
export function formatLoss(nats: number): string {
  if (Number.isNaN(nats)) return "not a number";
  if (!Number.isFinite(nats)) return "infinite";
  return nats !== 0 && Math.abs(nats) < 0.01 ? String(Number(nats.toPrecision(2))) : nats.toFixed(3);
}

/**
 * A share in whole per cent; never 100 % before all is done, never 0 % once begun.
 *
 * @param done how much is done, ≥ 0.
 * @param total how much there is, > 0.
 * @returns `30 %`.
 * @example
 * formatShare(999, 1000); // "99 %"
 */
export function formatShare(done: number, total: number): string {
  if (!(total > 0)) return "0 %";
  const percent = (100 * done) / total;
  if (percent >= 100) return "100 %";
  return `${percent > 0 ? Math.min(99, Math.max(1, Math.round(percent))) : 0} %`;
}

/**
 * Any number as a table or a sentence wants it: integers grouped, fractions with at most four significant digits. No zeros
 * at the end: a knob of 0.5 has not been measured to four digits.
 *
 * @param value any number.
 * @returns `12,345`, `0.1235`, `0.5`, `1,234.6`, `1.2e-7`.
 * @example
 * formatNumber(1234.5678); // "1,234.6"
 */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value > 0 ? "infinite" : "-infinite";
  if (Number.isInteger(value)) return Math.abs(value) < 1e15 ? groupThousands(value.toFixed(0)) : String(value);
  const size = Math.abs(value);
  const digits = size >= 1000 ? value.toFixed(1) : value.toPrecision(size < 1e-4 ? 2 : 4);
  return groupThousands(String(Number(digits)));
}

function groupThousands(digits: string): string {
  const [whole = "", fraction] = digits.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
